"""Subtitles and transcripts as prose: SubRip (`.srt`), WebVTT, and lines `00:00:01.120 | text`.

Cues are joined by spaces, without times, positions and tags. A line begins where someone else
speaks, with the name as the file gives it: `<v Ann>Hi` and `ANN: Hi` become `Ann: Hi`, `ANN: Hi`.
Captions that roll, each cue showing the last line again or a longer one, are shown once. The times
are not kept but for the duration. See https://www.w3.org/TR/webvtt1/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from openhearth.data.schema import Quarantine, Row, document
from openhearth.data.sources.files import File
from openhearth.data.sources.markup import unescape
from openhearth.data.sources.text import read_text, source_of

ROLLS = 0.1  # seconds: a cue that begins so soon after another may show it again
MOST_ROLLED = 8  # lines
LONGEST_NAME = 40
_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2}(?:[.,]\d{1,6})?)"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s|$)")
_STAMPED = re.compile(rf"\s*\[?{_TIME}\]?\s*\|(.*)")
_VOICE = re.compile(r"<v(?:\.[^<>\s]*)?\s+([^<>]*)>")
_TAG = re.compile(r"</?[a-zA-Z0-9][^<>]*>|</>|\{\\[^{}]*\}")
_DASH = re.compile(r"(?:>>+|[-\u2013\u2014])\s*(?=\S)")
_NAME = re.compile(r"([^:<>|]{2,40}):(?:\s+|$)(.*)")
_LANG = re.compile(r"\.([a-z]{2,3}(?:-[A-Za-z]{2,4})?)\.(?:srt|vtt)$")


@dataclass(frozen=True)
class Cue:
    """What is shown from `start` to `end`, in seconds."""

    start: float
    end: float
    lines: tuple[str, ...]


def read(file: File, quarantine: Quarantine) -> Iterator[Row]:
    """The transcript as a document, unless nothing is said in it."""
    text = read_text(file, quarantine)
    if text is None:
        return
    is_stamped = "-->" not in text
    cues = list((_stamped if is_stamped else _timed)(text, file.name, quarantine))
    said = prose(cues)
    if not said:
        quarantine.add("a transcript without text", file.name)
        return
    duration = round(max(cue.end for cue in cues), 3)
    row = document(file.name, said, source_of(file.name), cues=len(cues), duration=duration)
    lang = _LANG.search(file.plain_name)
    yield {**row, "lang": lang[1] if lang else ""}


def _stamped(text: str, name: str, quarantine: Quarantine) -> Iterator[Cue]:
    offset = 0
    for line in text.split("\n"):
        found = _STAMPED.match(line)
        if found:
            start = _seconds(found[1], found[2], found[3])
            yield Cue(start, start, (found[4].strip(),))
        elif line.strip():
            quarantine.add("a line without its time", name, offset)
        offset += len(line.encode()) + 1


def _timed(text: str, name: str, quarantine: Quarantine) -> Iterator[Cue]:
    """The cues of SubRip or WebVTT: lines without a blank one, the first or second the times."""
    for offset, lines in _paragraphs(text):
        times = next((i for i, line in enumerate(lines[:2]) if "-->" in line), None)
        found = _TIMES.match(lines[times]) if times is not None else None
        if times is not None and found:
            start, end = _seconds(*found.group(1, 2, 3)), _seconds(*found.group(4, 5, 6))
            if start <= end:
                yield Cue(start, end, tuple(lines[times + 1 :]))
                continue
        if not lines[0].startswith(("WEBVTT", "NOTE", "STYLE", "REGION")):
            quarantine.add("a malformed cue", name, offset)


def _paragraphs(text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines between blank ones, and the byte at which they begin."""
    lines: list[str] = []
    begin = offset = 0
    for line in (*text.split("\n"), ""):
        if line.strip():
            begin = begin if lines else offset
            lines.append(line.strip())
        elif lines:
            yield begin, lines
            lines = []
        offset += len(line.encode()) + 1


def _seconds(hours: str | None, minutes: str, seconds: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))


def prose(cues: list[Cue]) -> str:
    """What is said in the cues, a line for each time that someone speaks."""
    spoken: list[str] = []
    speaker = ""
    for line in _once(cues):
        is_turn = bool(_DASH.match(line))
        line = _DASH.sub("", line, count=1) if is_turn else line
        name, words = _speaker(line)
        if name and name != speaker:
            spoken.append(f"\n{name}: {words}".rstrip())
        elif is_turn:
            spoken.append(f"\n{words}")
        else:
            spoken.append(words)
        speaker = name or ("" if is_turn else speaker)
    return " ".join(filter(None, spoken)).replace(" \n", "\n").strip()


def _speaker(line: str) -> tuple[str, str]:
    """Who says what a line says, if it tells."""
    if line.startswith("\0"):
        name, _, words = line[1:].partition("\0")
        return name, words
    found = _NAME.match(line)
    if found and found[1].isupper():
        return found[1].strip(), found[2]
    return "", line


def _once(cues: list[Cue]) -> Iterator[str]:
    """The lines of the cues, without those that are shown again because captions roll."""
    before: tuple[str, ...] = ()
    end = -1.0
    for cue in cues:
        lines = tuple(filter(None, map(_clean, cue.lines)))
        rolls = cue.end > cue.start and cue.start - end <= ROLLS
        yield from _new(before, lines) if rolls else lines
        before, end = (lines or before), cue.end


def _new(before: tuple[str, ...], lines: tuple[str, ...]) -> tuple[str, ...]:
    for count in range(min(len(before), len(lines), MOST_ROLLED), 0, -1):
        if before[-count:] == lines[:count]:
            return lines[count:]
    if before and lines and lines[0].startswith(f"{before[-1]} "):
        return (lines[0][len(before[-1]) + 1 :], *lines[1:])
    return lines


def _clean(line: str) -> str:
    """A line without tags; `\\0name\\0` begins it where a voice is named."""
    voice = _VOICE.search(line)
    words = " ".join(unescape(_TAG.sub("", line)).replace("\0", "").split())
    return f"\0{' '.join(voice[1].split())}\0{words}" if voice and words else words
