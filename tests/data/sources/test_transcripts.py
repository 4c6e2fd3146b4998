"""Subtitles and transcripts: what was said, once, and by whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.schema import Quarantine
from openhearth.data.sources import read, transcripts
from tests.data.sources.conftest import Held

SRT = """\
1
00:00:01,000 --> 00:00:02,500
<i>Good</i> morning,
{\\an8}everyone.

2
00:00:03,000 --> 00:00:04,000 X1:1 Y1:2
ANN LEE: Hello &amp; welcome.

3
00:00:05,000 --> 00:00:06,000
ANN LEE: Sit down.
- Thanks.

4
00:00:09,000 -> 00:00:10,000
Broken arrow.

5
00:00:12,000 --> 00:00:11,000
Backwards.

6
01:00:00,000 --> 01:00:01,250
Is 1 < 2? At 12:30: yes.
""".replace("\n", "\r\n")

VTT = """\
WEBVTT - a talk
Language: en

STYLE
::cue { color: red }

NOTE nobody
reads this

intro
00:01.000 --> 00:02.000 align:start position:0%
<v.loud Ann Lee>Hi, <b>all</b>.</v>

00:02.000 --> 00:03.000
<v Ann Lee>Shall we <00:02.500><c>start?</c></v>

00:03.500 --> 00:04.000
<v Bob>Yes.</v>

00:05.000 --> 00:06.000
Music&nbsp;plays.
"""

ROLLING = """\
WEBVTT

00:00.000 --> 00:02.000
so today we

00:02.000 --> 00:02.010
so today we

00:02.010 --> 00:04.000
so today we
talk<00:03.000><c> about</c> birds

00:04.000 --> 00:04.010
talk about birds

00:04.010 --> 00:06.000
talk about birds
and

00:06.010 --> 00:07.000
and their nests

00:09.000 --> 00:10.000
and their nests
"""


def said(text: str, name: str = "x.vtt") -> tuple[list[dict[str, Any]], Quarantine]:
    aside = Quarantine()
    data = text.encode()
    return list(transcripts.read(Held(name, name, len(data), "", data), aside)), aside


def test_subrip(tmp_path: Path) -> None:
    (tmp_path / "film.pt-BR.srt").write_bytes(b"\xef\xbb\xbf" + SRT.encode())
    corpus = read(str(tmp_path))
    (row,) = [row for batch in corpus.batches() for row in batch.to_pylist()]
    assert row["text"] == (
        "Good morning, everyone.\nANN LEE: Hello & welcome. Sit down.\n"
        "Thanks. Is 1 < 2? At 12:30: yes."
    )
    assert row["lang"] == "pt-BR"
    assert json.loads(row["metadata"]) == {"cues": 4, "duration": 3601.25}
    assert corpus.quarantine.counts == {"a malformed cue": 2}


def test_malformed_cues_are_found_by_their_place() -> None:
    _, aside = said(SRT, "film.srt")
    places = [f"film.srt at byte {SRT.index(begin)}" for begin in ("4\r\n00:00:09", "5\r\n")]
    assert [example["where"] for example in aside.examples] == places


def test_webvtt() -> None:
    (row,), aside = said(VTT)
    assert row["text"] == "Ann Lee: Hi, all. Shall we start?\nBob: Yes. Music plays."
    assert json.loads(row["metadata"]) == {"cues": 4, "duration": 6.0}
    assert aside.total == 0


def test_captions_that_roll_are_said_once() -> None:
    (row,), _ = said(ROLLING)
    assert row["text"] == "so today we talk about birds and their nests and their nests"


def test_what_is_said_twice_stays() -> None:
    twice = "".join(f"00:0{i}.000 --> 00:0{i}.500\nNo.\n\n" for i in range(3))
    assert said(twice)[0][0]["text"] == "No. No. No."


def test_lines_with_a_stamp(tmp_path: Path) -> None:
    stamped = (
        "00:00:01.120 | Good evening.\n[01:02] | MAYOR: Please | vote.\n\nno time\n1:00:00|End."
    )
    (tmp_path / "council.txt").write_text(stamped)
    corpus = read(str(tmp_path), "transcripts")
    (row,) = [row for batch in corpus.batches() for row in batch.to_pylist()]
    assert row["text"] == "Good evening.\nMAYOR: Please | vote. End."
    assert json.loads(row["metadata"]) == {"cues": 3, "duration": 3600.0}
    assert corpus.quarantine.counts == {"a line without its time": 1}


@pytest.mark.parametrize(
    "text", ["WEBVTT\n", "just prose\n", "1\n00:00:01,000 --> 00:00:02,000\n\n"]
)
def test_what_says_nothing_is_set_aside(text: str) -> None:
    rows, aside = said(text)
    assert rows == []
    assert aside.counts["a transcript without text"] == 1


MARKS = [
    *"<>|:-\n a",
    "\n\n",
    "00:01.000 --> 00:02.000\n",
    "<v A>",
    "</v>",
    "&#",
    "ANN: ",
    ">>",
    "-->",
]


@settings(deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, len(VTT)), st.text(max_size=6)), max_size=6),
    marks=st.lists(st.sampled_from(MARKS), max_size=60),
    times=st.integers(1, 100),
)
def test_no_text_ends_the_reading(
    edits: list[tuple[int, str]], marks: list[str], times: int
) -> None:
    text = VTT
    for place, change in edits:
        text = text[:place] + change + text[place + len(change) :]
    for captions in (text, "".join(marks) * times):
        rows, aside = said(captions)
        assert rows or aside.total
        assert all("-->" not in row["text"] or "-->" in captions for row in rows)
