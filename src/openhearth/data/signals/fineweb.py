"""FineWeb's own signals (Penedo et al. 2024, arXiv:2406.17557), as datatrove defines them.

They look at lines that are not blank. Newlines per word is `oh_newline_word_ratio`.
"""

from __future__ import annotations

from openhearth.data.signals.characters import TERMINAL
from openhearth.data.signals.views import Document, Lines, Value, Views, repeated, share

BRIEF = 30  # characters


def _lines(views: Views) -> list[str]:
    return [line for line in views.text.split("\n") if line.strip()]


def _terminal_lines(views: Views) -> Value:
    lines = _lines(views)
    return share(sum(line[-1] in TERMINAL for line in lines), len(lines))


def _short_lines(views: Views) -> Value:
    lines = _lines(views)
    return share(sum(len(line) <= BRIEF for line in lines), len(lines))


def _duplicate_line_characters(views: Views) -> Value:
    return share(repeated(_lines(views))[1], len(views.text.replace("\n", "")))


DOCUMENT: Document = {
    "fineweb_terminal_lines": _terminal_lines,
    "fineweb_short_lines": _short_lines,
    "fineweb_dup_line_chars": _duplicate_line_characters,
}
LINES: Lines = {}
