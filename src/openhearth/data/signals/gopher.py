"""Gopher's quality and repetition signals as datatrove defines them (Rae et al. 2021,
arXiv:2112.11446).

Words are tokens, see `tokens.py`. n-grams of characters are shares of the whole text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from openhearth.data.signals.characters import SYMBOLS
from openhearth.data.signals.views import Document, Lines, Value, Views, characters, share

STOP_WORDS = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
ELLIPSES = ("...", "\u2026")


def _words(views: Views) -> list[str]:
    """Tokens that are more than symbols."""
    return [token for token in views.tokens if not SYMBOLS.issuperset(token)]


def _word_count(views: Views) -> Value:
    return float(len(_words(views)))


def _mean_word_length(views: Views) -> Value:
    return share(characters(_words(views)), len(_words(views)))


def _hash_ratio(views: Views) -> Value:
    return share(views.text.count("#"), len(views.tokens))


def _ellipsis_ratio(views: Views) -> Value:
    return share(sum(map(views.text.count, ELLIPSES)), len(views.tokens))


def _bullet_lines(views: Views) -> Value:
    bullets = sum(line.lstrip().startswith(("\u2022", "-")) for line in views.lines)
    return share(bullets, len(views.lines))


def _ellipsis_lines(views: Views) -> Value:
    return share(sum(x.rstrip().endswith(ELLIPSES) for x in views.lines), len(views.lines))


def _alphabetic_words(views: Views) -> Value:
    lettered = sum(any(map(str.isalpha, token)) for token in views.tokens)
    return share(lettered, len(views.tokens))


def _stop_words(views: Views) -> Value:
    """How many different ones there are."""
    return float(len(STOP_WORDS.intersection(views.tokens)))


def _top_ngram(n: int) -> Callable[[Views], Value]:
    """Characters of the n-gram that occurs most often, spaces between, times its count."""

    def signal(views: Views) -> Value:
        grams = [views.tokens[i : i + n] for i in range(len(views.tokens) - n + 1)]
        most = Counter(map(tuple, grams)).most_common(1)
        found = sum((characters(gram) + n - 1) * count for gram, count in most)
        return share(found, len(views.text))

    return signal


def _duplicate_ngrams(n: int) -> Callable[[Views], Value]:
    """Characters in n-grams that occurred before, found from left to right, hits skipped whole."""

    def signal(views: Views) -> Value:
        seen: set[tuple[str, ...]] = set()
        found = i = 0
        while i + n <= len(views.tokens):
            gram = tuple(views.tokens[i : i + n])
            found += characters(gram) if gram in seen else 0
            i += n if gram in seen else 1
            seen.add(gram)
        return share(found, len(views.text))

    return signal


DOCUMENT: Document = {
    "gopher_word_count": _word_count,
    "gopher_mean_word_length": _mean_word_length,
    "gopher_hash_ratio": _hash_ratio,
    "gopher_ellipsis_ratio": _ellipsis_ratio,
    "gopher_bullet_lines": _bullet_lines,
    "gopher_ellipsis_lines": _ellipsis_lines,
    "gopher_alphabetic_words": _alphabetic_words,
    "gopher_stop_words": _stop_words,
    **{f"gopher_top_{n}gram": _top_ngram(n) for n in (2, 3, 4)},
    **{f"gopher_dupe_{n}grams": _duplicate_ngrams(n) for n in range(5, 11)},
}
LINES: Lines = {}
