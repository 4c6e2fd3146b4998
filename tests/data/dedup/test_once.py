"""Folders that are filled once: whole or not there, and the first of two attempts stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openhearth.data.dedup.once import once


def never(folder: Path) -> dict[str, Any]:
    raise AssertionError("it was done before")


def test_what_was_done_is_not_done_again(tmp_path: Path) -> None:
    def fill(folder: Path) -> dict[str, Any]:
        (folder / "file").write_text("1")
        return {"rows": 1}

    for way in (fill, never):
        assert once(tmp_path / "some/where", way) == {"rows": 1}
    assert {path.name for path in (tmp_path / "some/where").iterdir()} == {"done", "file"}
    assert [path.name for path in (tmp_path / "some").iterdir()] == ["where"]


def test_what_failed_leaves_nothing(tmp_path: Path) -> None:
    def fill(folder: Path) -> dict[str, Any]:
        (folder / "file").write_text("1")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        once(tmp_path / "here", fill)
    assert not list(tmp_path.iterdir())


def test_of_two_attempts_the_first_that_is_whole_stays(tmp_path: Path) -> None:
    def slow(folder: Path) -> dict[str, Any]:
        (folder / "slow").touch()
        once(tmp_path / "here", lambda other: (other / "fast").touch() or {"rows": 1})
        return {"rows": 2}

    assert once(tmp_path / "here", slow) == {"rows": 1}
    assert {path.name for path in tmp_path.rglob("*")} == {"here", "done", "fast"}


def test_what_is_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here/mine").touch()
    with pytest.raises(OSError, match="here"):
        once(tmp_path / "here", lambda folder: {})
