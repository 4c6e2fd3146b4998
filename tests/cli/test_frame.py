"""Numbers, tables and progress as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.cli import frame
from openhearth.cli.frame import LiveLine, LogLines, duration, remaining, share, size, table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7380, "2 h 3 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (98_000_000, "98.0 MB"), (3e12, "3.0 TB")],
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


def test_what_is_left_follows_the_speed_so_far() -> None:
    assert remaining(25, 100, 25, 10) == "30 s left"
    assert remaining(25, 100, 50, 10) == "20 s left"  # 25 were done before we began
    assert remaining(0, 100, 0, 10) == ""
    assert remaining(100, 100, 100, 10) == ""
    assert remaining(5, None, 5, 10) == ""
    assert share(21, 50) == " 42%"
    assert share(21, None) == ""


@given(st.lists(st.tuples(st.text("ab c", max_size=9), st.integers()), max_size=5))
def test_a_table_has_a_line_for_each_row_and_columns_in_line(rows: list[tuple[str, int]]) -> None:
    lines = table(["name", "count"], rows).splitlines()
    assert len(lines) == len(rows) + 2
    for (_, count), line in zip(rows, lines[2:], strict=True):
        assert line.endswith(str(count))
        assert len(line) == len(lines[1])


def test_a_log_gets_a_line_when_a_stage_begins_and_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show = LogLines()
    for done in range(101):
        show("tune", done, 100, "loss 1")
    show("score", 0, None)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[:2] for line in lines] == [["tune", "0%"], ["tune", "100%"], ["score"]]


def test_a_live_line_is_written_over_and_fits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "EVERY", 0.0)
    monkeypatch.setenv("COLUMNS", "30")
    show = LiveLine()
    show("tune", 1, 2, "loss 1.234, 100 tokens/s, and more than fits")
    show("tune", 2, 2)
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert shown.endswith("\n")
    lines = shown.split("\r")[1:]
    assert [line.split()[:2] for line in lines] == [["tune", "50%"], ["tune", "100%"]]
    assert all(len(line.rstrip("\n")) < 30 for line in lines)
