"""The signals of Dolma's tagger `gopher_v1` (Soldaini et al. 2024, arXiv:2402.00159).

Words are what stands between spaces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from statistics import median

from openhearth.data.signals.gopher import STOP_WORDS
from openhearth.data.signals.views import Document, Lines, Value, Views, characters, ngrams, share

SYMBOLS = ("#", "\u2026")


def _word_count(views: Views) -> Value:
    return float(len(views.spaced))


def _median_word_length(views: Views) -> Value:
    return float(median(map(len, views.spaced))) if views.spaced else None


def _symbol_ratio(views: Views) -> Value:
    """The share of words with a symbol in them."""
    found = sum(any(symbol in word for symbol in SYMBOLS) for word in views.spaced)
    return share(found, len(views.spaced))


def _alphabetic_words(views: Views) -> Value:
    lettered = sum(any(map(str.isalpha, word)) for word in views.spaced)
    return share(lettered, len(views.spaced))


def _required_words(views: Views) -> Value:
    return float(sum(word in STOP_WORDS for word in views.spaced))


def _bullet_lines(views: Views) -> Value:
    lines = views.text.split("\n")
    return sum(line.startswith(("*", "-")) for line in lines) / len(lines)


def _ellipsis_lines(views: Views) -> Value:
    lines = views.text.split("\n")
    return sum(line.endswith("\u2026") for line in lines) / len(lines)


def _duplicate_lines(views: Views) -> Value:
    """The share of lines that have an equal, empty ones among them."""
    counts = Counter(views.text.split("\n"))
    return sum(n for n in counts.values() if n > 1) / counts.total()


def _duplicate_line_characters(views: Views) -> Value:
    counts = Counter(views.text.split("\n"))
    often = sum(len(line) * n for line, n in counts.items() if n > 1)
    return share(often, characters(views.spaced))


def _top_ngram(n: int) -> Callable[[Views], Value]:
    """Characters of the n-gram that occurs most often, of those of all words."""

    def signal(views: Views) -> Value:
        most = Counter(ngrams(views.spaced, n)).most_common(1)
        total = characters(views.spaced)
        return most[0][1] * characters(most[0][0]) / total if most else None

    return signal


def _duplicate_ngrams(n: int) -> Callable[[Views], Value]:
    """Characters of n-grams that occur more than once, of those of all n-grams."""

    def signal(views: Views) -> Value:
        counts = Counter(ngrams(views.spaced, n))
        sizes = {gram: count * characters(gram) for gram, count in counts.items()}
        often = sum(size for gram, size in sizes.items() if counts[gram] > 1)
        return share(often, sum(sizes.values()))

    return signal


DOCUMENT: Document = {
    "dolma_word_count": _word_count,
    "dolma_median_word_length": _median_word_length,
    "dolma_symbol_ratio": _symbol_ratio,
    "dolma_alphabetic_words": _alphabetic_words,
    "dolma_required_words": _required_words,
    "dolma_bullet_lines": _bullet_lines,
    "dolma_ellipsis_lines": _ellipsis_lines,
    "dolma_dup_lines": _duplicate_lines,
    "dolma_dup_line_chars": _duplicate_line_characters,
    **{f"dolma_top_{n}gram": _top_ngram(n) for n in (2, 3, 4)},
    **{f"dolma_dupe_{n}grams": _duplicate_ngrams(n) for n in range(5, 11)},
}
LINES: Lines = {}
