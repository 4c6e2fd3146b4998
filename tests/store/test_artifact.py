"""Manifests: canonical, self-naming, and safe to read from anywhere."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.errors import CorruptArtifact
from openhearth.store import FileEntry, Manifest

DIGEST = hashlib.sha256(b"x").hexdigest()
MANIFEST = Manifest(
    "adapter",
    {"a.safetensors": FileEntry(DIGEST, 1)},
    {"base": DIGEST},
    {"rank": 8, "target": ["q", "v"]},
    {"loss": 1.25},
    ("MIT",),
    ("Ada",),
    "openhearth==0",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def test_a_manifest_is_canonical_json_and_named_by_its_sha256() -> None:
    data = MANIFEST.to_bytes()
    expected = json.dumps(json.loads(data), sort_keys=True, separators=(",", ":")).encode()
    assert data == expected
    assert MANIFEST.digest == hashlib.sha256(expected).hexdigest()
    assert Manifest.from_bytes(data) == MANIFEST


@given(st.dictionaries(st.text(max_size=8), JSON))
def test_any_recipe_survives_the_round_trip(recipe: dict[str, Any]) -> None:
    manifest = Manifest("corpus", {}, recipe=recipe)
    assert Manifest.from_bytes(manifest.to_bytes()).digest == manifest.digest


@given(st.binary(max_size=200))
def test_foreign_bytes_are_a_manifest_or_an_error(data: bytes) -> None:
    with pytest.raises(CorruptArtifact):
        Manifest.from_bytes(data)


@given(st.sampled_from(sorted(json.loads(MANIFEST.to_bytes()))), JSON)
def test_a_field_of_any_other_type_is_a_manifest_or_an_error(name: str, value: Any) -> None:
    raw = json.loads(MANIFEST.to_bytes()) | {name: value}
    try:
        manifest = Manifest.from_bytes(json.dumps(raw).encode())
    except CorruptArtifact:
        return
    manifest.check()
    assert Manifest.from_bytes(manifest.to_bytes()) == manifest


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "cake"},
        {"files": {"../../.bashrc": {"digest": DIGEST, "size": 1}}},
        {"files": {"/etc/passwd": {"digest": DIGEST, "size": 1}}},
        {"files": {"a": {"digest": "../../../../etc/passwd", "size": 1}}},
        {"files": {"a": {"digest": DIGEST, "size": -1}}},
        {"files": {"a": {"digest": DIGEST, "size": 1, "mode": 7}}},
        {"inputs": {"base": "../refs/x"}},
        {"license": [1]},
        {"recipe": []},
        {"unknown": 1},
    ],
)
def test_what_could_lead_out_of_the_store_is_refused(change: dict[str, Any]) -> None:
    raw = json.loads(MANIFEST.to_bytes()) | change
    with pytest.raises(CorruptArtifact, match="cannot be read"):
        Manifest.from_bytes(json.dumps(raw).encode())
