"""Formats: which reader reads which file, in the order of the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhearth.data import read
from openhearth.data.sources import formats
from openhearth.errors import NotFound, UsageError
from tests.data.sources.conftest import rows_of


def test_a_folder_of_many_kinds_keeps_the_order_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Plain.")
    (tmp_path / "b.jsonl").write_text('{"text": "Line."}\n{"text": "Second."}')
    (tmp_path / "c.md").write_text("# Markdown")
    (tmp_path / "d.py").write_text("x = 1")
    (tmp_path / "e.html").write_text("<main><p>Page.</p></main>")
    (tmp_path / "f.unknown").write_text("Nothing.")
    rows = rows_of(read(str(tmp_path)))
    texts = ["Plain.", "Line.", "Second.", "# Markdown", "x = 1", "Page."]
    assert [row["text"] for row in rows] == texts


def test_every_format_has_a_reader_and_no_suffix_two() -> None:
    suffixes = [suffix for known in formats.FORMATS.values() for suffix in known.suffixes]
    assert len(suffixes) == len(set(suffixes))
    for name in formats.FORMATS:
        assert callable(formats._reader(name).read)


def test_a_kind_says_more_than_a_suffix(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"text": "Line."}')
    (tmp_path / "page.html").write_text('{"text": "No page."}')
    rows = rows_of(read(str(tmp_path), "jsonl"))
    assert [row["text"] for row in rows] == ["Line.", "No page."]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.unknown").write_text("x")
    with pytest.raises(NotFound, match=r"has no text.*\.jsonl"):
        read(str(tmp_path))
    with pytest.raises(UsageError, match="no format 'odt'"):
        read(str(tmp_path), "odt")


def test_small_files_share_a_part_and_large_ones_have_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "PART_BYTES", 100)
    monkeypatch.setattr(formats, "PART_FILES", 3)
    for i, size in enumerate([10, 10, 10, 10, 300, 10]):
        (tmp_path / f"{i}.txt").write_text("x" * size)
    corpus = read(str(tmp_path))
    assert [part.name for part in corpus.parts] == ["0.txt", "3.txt", "4.txt", "5.txt"]
    assert len(rows_of(corpus)) == 6
