"""C4's signals of lines (Raffel et al. 2020, arXiv:1910.10683), as datatrove applies them.

A line is looked at without the spaces around it. Letters are lowered in ASCII only.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable

from openhearth.data.signals.characters import TERMINAL
from openhearth.data.signals.views import Document, Lines, Value, Views

LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
CITATIONS = re.compile(r"(?:\[(?:[0-9]*|edit|citation needed)\])*$")
ENDS = (".", "?", "!", '"', "'")
POLICIES = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)


def _each(signal: Callable[[str], float]) -> Callable[[Views], list[Value]]:
    return lambda views: [float(signal(line.strip())) for line in views.lines]


def _longest_word(line: str) -> float:
    return max(map(len, line.split()), default=0)


def _terminal(line: str) -> float:
    """Whether it ends as a sentence does, citation marks such as `[3]` left out."""
    plain = CITATIONS.sub("", line)
    return plain.endswith(ENDS) and not plain.endswith("...")


def _has(*phrases: str) -> Callable[[str], float]:
    return lambda line: any(phrase in line.translate(LOWER) for phrase in phrases)


def _is_punctuation(token: str) -> bool:
    return all(unicodedata.category(c).startswith("P") for c in token)


def _sentences(tokens: list[str]) -> float:
    """One begins at the first token, and at one that is no punctuation after one that ends one."""
    found, ended = float(bool(tokens)), False
    for token in tokens:
        if token in TERMINAL:
            ended = True
        elif ended and not _is_punctuation(token):
            found, ended = found + 1, False
    return found


def _num_sentences(views: Views) -> list[Value]:
    return [_sentences(tokens) for tokens in views.line_tokens]


DOCUMENT: Document = {}
LINES: Lines = {
    "c4_lines_max_word_length": _each(_longest_word),
    "c4_lines_terminal": _each(_terminal),
    "c4_lines_num_words": _each(lambda line: len(line.split())),
    "c4_lines_lorem_ipsum": _each(_has("lorem ipsum")),
    "c4_lines_javascript": _each(_has("javascript")),
    "c4_lines_curly_bracket": _each(_has("{")),
    "c4_lines_policy": _each(_has(*POLICIES)),
    "c4_lines_num_sentences": _num_sentences,
}
