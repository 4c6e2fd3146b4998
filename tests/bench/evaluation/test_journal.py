"""A journal knows whole lines, and only those."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhearth.bench.evaluation.journal import Journal


def test_what_was_noted_is_not_done_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    assert Journal(path).once("a", lambda: [1.5, True]) == [1.5, True]
    assert Journal(path).once("a", lambda: pytest.fail("done again")) == [1.5, True]


def test_a_line_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = Journal(path)
    first.once("a", lambda: 1)
    first.once("b", lambda: 2)
    path.write_bytes(path.read_bytes()[:-2])
    again = Journal(path)
    assert again.once("a", lambda: 9) == 1
    assert again.once("b", lambda: 3) == 3
    assert Journal(path).once("b", lambda: 9) == 3
