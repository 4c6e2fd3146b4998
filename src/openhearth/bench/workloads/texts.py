"""Texts, made from random numbers when they are needed (rule 6).

They read like a dull tale: frames of sentences, filled with words of fitting classes and with the
few people and towns of that text. No cache and no training set can know one. A corpus can take
their place: whatever gives sentences will do (`Sentences`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from openhearth.bench.workloads.lexicon import frames, words
from openhearth.bench.workloads.names import Names

Sentences = Callable[[], str]  # gives the next sentence of a text
SLOT = re.compile(r"\{(\w+)\}")
BEFORE_VOWEL = re.compile(r"\b([Aa]) (?=[aeiou])")
PEOPLE, TOWNS = 6, 4  # of one text


class Writer:
    """Writes one text, sentence by sentence."""

    def __init__(self, rng: Random, names: Names | None = None) -> None:
        self._rng = rng
        self.names = names or Names(rng)
        self._people = [self.names.person() for _ in range(PEOPLE)]
        self._towns = [self.names.place() for _ in range(TOWNS)]
        self._deck: list[str] = []

    def sentence(self) -> str:
        """The next one. No frame comes again before all others did."""
        if not self._deck:
            self._deck = self._rng.sample(frames("sentence"), len(frames("sentence")))
        return self._filled(self._deck.pop())

    def phrase(self, kind: str) -> str:
        """A sentence of a kind, such as `question`."""
        return self._filled(self._rng.choice(frames(kind)))

    def _filled(self, frame: str) -> str:
        return finish(SLOT.sub(self._word, frame))

    def _word(self, slot: re.Match[str]) -> str:
        match slot[1]:
            case "name":
                return self._rng.choice(self._people)
            case "place":
                return self._rng.choice(self._towns)
            case kind:
                return self._rng.choice(words(kind))


def finish(sentence: str) -> str:
    """A capital at its beginning, and `an` where it is due."""
    start = 1 if sentence.startswith('"') else 0
    capital = sentence[:start] + sentence[start].upper() + sentence[start + 1 :]
    return BEFORE_VOWEL.sub(r"\1n ", capital)


def date(rng: Random) -> str:
    """Such as 4 May 1931."""
    return f"{rng.randint(1, 28)} {rng.choice(words('month'))} {rng.randint(1840, 1990)}"


def paragraphs(sentences: list[str], size: int = 6) -> str:
    """A text of them, in paragraphs of so many sentences."""
    parts = [" ".join(sentences[i : i + size]) for i in range(0, len(sentences), size)]
    return "\n\n".join(parts)
