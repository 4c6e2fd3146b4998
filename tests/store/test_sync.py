"""Artifacts between stores: all they were made from, only what is missing, nothing damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhearth.errors import CorruptArtifact, NotFound, UsageError
from openhearth.store import Manifest, Store, pull, push
from tests.store.conftest import add, files_under


@pytest.fixture
def url(tmp_path: Path) -> str:
    return (tmp_path / "remote").as_uri()


def test_an_artifact_travels_with_all_it_was_made_from(
    store: Store, url: str, tmp_path: Path
) -> None:
    base = add(store, "base")
    top = add(store, "top", base, name="me/top")
    assert push(top, url, name="me/top") == len("base") + len("top")
    assert push(top, url, name="me/top") == 0
    other = Store(tmp_path / "other")
    arrived = pull(other, url, "me/top")
    assert arrived == top
    assert arrived.path("text.txt").read_text() == "top"
    assert other.get(base.digest).path("text.txt").read_text() == "base"
    before = files_under(other.root)
    assert pull(other, url, top.digest) == top
    assert files_under(other.root) == before


def test_what_was_pulled_is_what_would_have_been_made(
    store: Store, url: str, tmp_path: Path
) -> None:
    artifact = add(store, "x")
    push(artifact, url)
    other = Store(tmp_path / "other")
    pull(other, url, artifact.digest)
    assert add(other, "x").digest == artifact.digest


def test_damage_on_the_way_is_not_kept(store: Store, url: str, tmp_path: Path) -> None:
    artifact = add(store, "x")
    push(artifact, url)
    digest = artifact.manifest.files["text.txt"].digest
    (tmp_path / "remote/blobs/sha256" / digest[:2] / digest).write_bytes(b"y")
    other = Store(tmp_path / "other")
    with pytest.raises(CorruptArtifact, match="pull again"):
        pull(other, url, artifact.digest)
    assert files_under(other.root) == {}


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"kind":"corpus","files":{}}'])
def test_a_foreign_manifest_is_not_believed(
    store: Store, url: str, tmp_path: Path, damage: bytes
) -> None:
    artifact = add(store, "x")
    push(artifact, url)
    (tmp_path / f"remote/manifests/{artifact.digest}.json").write_bytes(damage)
    other = Store(tmp_path / "other")
    with pytest.raises(CorruptArtifact):
        pull(other, url, artifact.digest)
    assert files_under(other.root) == {}


def test_a_manifest_of_something_else_is_not_believed(
    store: Store, url: str, tmp_path: Path
) -> None:
    artifact = add(store, "x")
    push(artifact, url)
    other_manifest = Manifest("corpus", artifact.manifest.files)
    path = tmp_path / f"remote/manifests/{artifact.digest}.json"
    path.write_bytes(other_manifest.to_bytes())
    with pytest.raises(CorruptArtifact, match="altered"):
        pull(Store(tmp_path / "other"), url, artifact.digest)


def test_a_name_cannot_lead_elsewhere(store: Store, url: str, tmp_path: Path) -> None:
    push(add(store, "x"), url, name="x")
    (tmp_path / "remote/refs/x").write_text("../../secret")
    with pytest.raises(NotFound, match="no artifact called"):
        pull(Store(tmp_path / "other"), url, "x")
    with pytest.raises(UsageError):
        pull(Store(tmp_path / "other"), url, "../x")


def test_what_is_not_there_is_said(store: Store, url: str) -> None:
    with pytest.raises(NotFound, match="no artifact called 'x'"):
        pull(store, url, "x")
    with pytest.raises(NotFound, match="push it there again"):
        pull(store, url, "0" * 64)
