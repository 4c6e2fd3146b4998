"""A text as the signals look at it; each view is made once, when a signal first asks for it."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from openhearth.data.signals.lists import NO_LISTS, Lists
from openhearth.data.signals.tokens import tokens

Value = float | None
Document = dict[str, Callable[["Views"], Value]]
Lines = dict[str, Callable[["Views"], list[Value]]]

PUNCTUATION = str.maketrans("", "", string.punctuation)
RAW_WORD = re.compile(r"\w+|[^\w\s]+")
LINE = re.compile(r"[^\n]*\n|[^\n]+$")


def normalise(text: str) -> str:
    """Without ASCII punctuation, in lower case, with single spaces, decomposed (NFD)."""
    return unicodedata.normalize("NFD", " ".join(text.translate(PUNCTUATION).lower().split()))


class Views:
    """One text, and the word lists of its language."""

    def __init__(self, text: str, lists: Lists = NO_LISTS) -> None:
        self.text = text
        self.lists = lists

    @cached_property
    def lines(self) -> list[str]:
        """Lines with their newline."""
        return LINE.findall(self.text)

    @cached_property
    def normalised_lines(self) -> list[str]:
        """Each line normalised."""
        return [normalise(line) for line in self.lines]

    @cached_property
    def words(self) -> list[str]:
        """Words of the normalised text."""
        return normalise(self.text).split()

    @cached_property
    def raw_words(self) -> list[str]:
        """Runs of word characters and runs of punctuation, as they stand (NLTK's WordPunct)."""
        return RAW_WORD.findall(self.text)

    @cached_property
    def line_tokens(self) -> list[list[str]]:
        """The tokens of each line: words as spaCy splits them, nearly."""
        return [tokens(line) for line in self.lines]

    @cached_property
    def tokens(self) -> list[str]:
        """The tokens of the whole text."""
        return [token for line in self.line_tokens for token in line]

    @cached_property
    def spaced(self) -> list[str]:
        """Words between spaces."""
        return self.text.split()


def share(count: float, total: float) -> Value:
    """`count / total`, undefined where there is nothing to have a share of."""
    return count / total if total else None


def ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All runs of `n` words."""
    return list(zip(*(words[i:] for i in range(n)), strict=False))


def characters(words: Iterable[str]) -> int:
    """How many characters words have together."""
    return sum(map(len, words))


def repeated(parts: Sequence[str]) -> tuple[int, int]:
    """How many parts come after an equal one, and their characters."""
    seen: set[str] = set()
    count = size = 0
    for part in parts:
        if part in seen:
            count += 1
            size += len(part)
        seen.add(part)
    return count, size
