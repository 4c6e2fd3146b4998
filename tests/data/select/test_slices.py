"""Slices: what they give is known by a fingerprint before they are read, and read once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openhearth.data.schema import Quarantine
from openhearth.data.select.mixture import Slice
from openhearth.data.select.slices import Opened
from openhearth.errors import NotFound
from tests.data.select.corpora import documents


@pytest.fixture
def part(tmp_path: Path) -> dict:
    """A slice with rules and a selection; one of its lines is broken."""
    write(tmp_path / "docs.jsonl", 60, broken="{\n")
    write(tmp_path / "cats.jsonl", 10, topics=["cats"])
    (tmp_path / "short.toml").write_text('short = { signal = "rps_doc_word_count", max = 60 }\n')
    return {
        "name": "some",
        "path": str(tmp_path / "docs.jsonl"),
        "rules": (str(tmp_path / "short.toml"),),
        "select": {"n": 8},
        "targets": {"cats": str(tmp_path / "cats.jsonl")},
    }


def write(path: Path, count: int, broken: str = "", **settings: object) -> None:
    rows = documents(count, **settings)
    lines = [json.dumps({"id": row["id"], "text": row["text"]}) + "\n" for row in rows]
    path.write_text("".join([*lines, broken]))


def fingerprint(part: dict, **changes: object) -> str:
    return Opened.of(Slice.model_validate(part | changes)).fingerprint


def test_the_fingerprint_is_of_all_that_decides(part: dict, tmp_path: Path) -> None:
    found = {
        fingerprint(part),
        fingerprint(part, rules=()),
        fingerprint(part, select={"n": 9}),
        fingerprint(part, targets={"other": part["targets"]["cats"]}),
        fingerprint(part, targets={"cats": part["path"]}),
        fingerprint(part, format="text"),
    }
    write(tmp_path / "cats.jsonl", 11, topics=["cats"])
    found.add(fingerprint(part))
    (tmp_path / "short.toml").write_text('short = { signal = "rps_doc_word_count", max = 50 }\n')
    found.add(fingerprint(part))
    write(tmp_path / "docs.jsonl", 61)
    found.add(fingerprint(part))
    assert len(found) == 9
    assert fingerprint(part, weight=2, epochs=3, name="other") in found


def test_what_is_not_there_is_said_before_anything_is_read(part: dict) -> None:
    for missing in ({"path": "nowhere"}, {"rules": ("nowhere",)}, {"targets": {"a": "nowhere"}}):
        with pytest.raises(NotFound, match="nowhere"):
            fingerprint(part, **missing)


def test_it_is_prepared_once(part: dict, tmp_path: Path) -> None:
    work, found = tmp_path / "work", []
    for _ in range(2):
        opened, aside = Opened.of(Slice.model_validate(part)), Quarantine()
        corpus = opened.prepare(work, None, {}, aside)
        rows = [row for batch in corpus.batches() for row in batch.to_pylist()]
        times = {path: path.stat().st_mtime_ns for path in work.rglob("*.parquet")}
        found.append((rows, aside.to_dict(), times))
    assert found[0] == found[1]
    assert len(rows) == 8
    assert all(len(row["text"].split()) <= 60 for row in rows)
    assert aside.counts == {"not JSON": 1}
