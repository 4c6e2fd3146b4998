"""Text files and source files: one document each, unless they are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data import Quarantine, read
from openhearth.data.sources import text
from openhearth.data.sources.files import list_files
from tests.data.sources.conftest import rows_of


def test_files_become_documents_and_folders_their_sources(tmp_path: Path) -> None:
    for name in ("wiki/a.txt", "wiki/deep/b.md", "c.rst"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"\ufeffText of {name}\r\n")
    rows = rows_of(read(str(tmp_path)))
    assert [(row["id"], row["source"]) for row in rows] == [
        ("c.rst", "c.rst"),
        ("wiki/a.txt", "wiki"),
        ("wiki/deep/b.md", "wiki"),
    ]
    assert rows[0]["text"] == "Text of c.rst\r\n"


def test_source_files_know_their_language(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    (row,) = rows_of(read(str(tmp_path)))
    assert json.loads(row["metadata"]) == {"language": "python", "path": "a.py"}


def test_what_is_no_text_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "LARGEST", 1 << 20)
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "blank.txt").write_bytes(b" \n\n")
    (tmp_path / "image.txt").write_bytes(b"ab\x89PNG\xff\xfe")
    (tmp_path / "null.txt").write_bytes(b"a\0b")
    (tmp_path / "utf16.txt").write_text("Wide text.", "utf-16")
    (tmp_path / "large.txt").write_bytes(b"x" * ((1 << 20) + 1))
    (tmp_path / "good.txt").write_text("Good.")
    corpus = read(str(tmp_path))
    assert [row["text"] for row in rows_of(corpus)] == ["Good."]
    assert corpus.quarantine.counts == {
        "empty": 2,
        "not UTF-8 text": 2,
        "binary": 1,
        "larger than 1 MiB": 1,
    }
    assert {"reason": "not UTF-8 text", "where": "image.txt at byte 2"} in (
        corpus.quarantine.examples
    )


@given(data=st.binary(max_size=200), name=st.sampled_from(["a.txt", "a.txt.gz", "a.py.zst"]))
def test_no_bytes_end_the_reading(
    data: bytes, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("text") / name
    path.write_bytes(data)
    aside = Quarantine()
    found = text.read_text(list_files(str(path))[0], aside)
    assert (found is None) == (aside.total == 1)
