"""RefinedWeb's signals as DCLM defines them (Penedo et al. 2023, arXiv:2306.01116; Li et al. 2024,
arXiv:2406.11794). Words are what stands between spaces; n-grams are RedPajama-V2's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from openhearth.data.signals.c4 import LOWER
from openhearth.data.signals.gopher import STOP_WORDS
from openhearth.data.signals.views import Document, Lines, Value, Views, characters, share

SYMBOLS = ("#", "...", ". . .", "\u2026")
BULLETS = ("\u25cf", "\u2022", "*", "-")
ELLIPSES = ("...", ". . .", "\u2026")
COUNTED = (
    "likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes|downloads|views|"
    "followers"
)
COUNTER = re.compile(rf"^\W*[0-9][0-9,.]*[kmb]?\s+(?:{COUNTED})\W*$")
BANNED = re.compile(r"items in cart|sign-in|read more.{3}", re.DOTALL)


def _counted(words: list[str]) -> int:
    """Words that begin with a letter or digit: the others are punctuation."""
    return sum(word[0].isalnum() for word in words)


def _word_count(views: Views) -> Value:
    return float(_counted(views.spaced))


def _mean_word_length(views: Views) -> Value:
    return share(characters(views.spaced), len(views.spaced))


def _symbol_ratio(views: Views) -> Value:
    return share(sum(map(views.text.count, SYMBOLS)), len(views.spaced))


def _parts(views: Views, end: str) -> list[str]:
    return [part.strip() for part in views.text.split(end) if part.strip()]


def _bullet_lines(views: Views) -> Value:
    lines = _parts(views, "\n")
    return share(sum(line.startswith(BULLETS) for line in lines), len(lines))


def _ellipsis_lines(views: Views) -> Value:
    lines = _parts(views, "\n")
    return share(sum(line.endswith(ELLIPSES) for line in lines), len(lines))


def _no_alphabetic_words(views: Views) -> Value:
    plain = sum(not any(map(str.isalpha, word)) for word in views.spaced)
    return share(plain, len(views.spaced))


def _stop_words(views: Views) -> Value:
    """How many there are, repetitions counted."""
    return float(sum(word.translate(LOWER) in STOP_WORDS for word in views.spaced))


def _duplicates(end: str) -> Callable[[Views], Value]:
    """The share of lines or paragraphs that have an equal."""

    def signal(views: Views) -> Value:
        counts = Counter(_parts(views, end))
        return share(sum(n for n in counts.values() if n > 1), counts.total())

    return signal


def _duplicate_characters(end: str) -> Callable[[Views], Value]:
    """Their characters, of those of all."""

    def signal(views: Views) -> Value:
        counts = Counter(_parts(views, end))
        often = sum(len(part) * n for part, n in counts.items() if n > 1)
        return share(often, characters(counts.elements()))

    return signal


DOCUMENT: Document = {
    "refinedweb_word_count": _word_count,
    "refinedweb_mean_word_length": _mean_word_length,
    "refinedweb_symbol_ratio": _symbol_ratio,
    "refinedweb_bullet_lines": _bullet_lines,
    "refinedweb_ellipsis_lines": _ellipsis_lines,
    "refinedweb_no_alphabetic_words": _no_alphabetic_words,
    "refinedweb_stop_words": _stop_words,
    "refinedweb_dup_lines": _duplicates("\n"),
    "refinedweb_dup_line_chars": _duplicate_characters("\n"),
    "refinedweb_dup_paras": _duplicates("\n\n"),
    "refinedweb_dup_para_chars": _duplicate_characters("\n\n"),
}


def _each(signal: Callable[[str], Value]) -> Callable[[Views], list[Value]]:
    return lambda views: [signal(line.removesuffix("\n")) for line in views.lines]


def _uppercase(line: str) -> Value:
    return share(sum(map(str.isupper, line)), len(line)) or 0.0


def _numeric(line: str) -> Value:
    return share(sum(map(str.isdigit, line)), len(line)) or 0.0


def _is_counter(line: str) -> Value:
    """`3 likes` and the like."""
    return float(COUNTER.search(line.translate(LOWER)) is not None)


def _num_words(line: str) -> Value:
    """Undefined for an empty line, which is no line of few words."""
    return float(len(line.split())) if line else None


def _is_banned(line: str) -> Value:
    """`Sign-in`, `Read more...` and `items in cart`, alone on a line."""
    return float(BANNED.fullmatch(line.strip().translate(LOWER)) is not None)


LINES: Lines = {
    "refinedweb_lines_uppercase": _each(_uppercase),
    "refinedweb_lines_numeric": _each(_numeric),
    "refinedweb_lines_counter": _each(_is_counter),
    "refinedweb_lines_num_words": _each(_num_words),
    "refinedweb_lines_banned": _each(_is_banned),
    "refinedweb_lines_words": _each(lambda line: float(_counted(line.split()))),
}
