"""Names of people, places and things that nobody has: syllables put together, none given twice."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from openhearth.bench.workloads.lexicon import words

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without those that look alike


class Names:
    """Gives out names by a generator of random numbers; equal ones are drawn again."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._given: set[str] = set()

    def person(self) -> str:
        """First and family name."""
        return self._new(lambda: f"{self._stem('first_name')} {self._stem('family_name')}")

    def place(self) -> str:
        """Of a town."""
        return self._new(lambda: self._stem("town_name"))

    def word(self) -> str:
        """Of a boat, or whatever has one word for a name."""
        return self._new(lambda: self._stem("boat_name"))

    def code(self, length: int = 8) -> str:
        """Letters and digits in groups of four, such as K7QP-2M4X."""
        drawn = "".join(self._rng.choices(LETTERS, k=length))
        return "-".join(drawn[i : i + 4] for i in range(0, length, 4))

    def _stem(self, ending: str) -> str:
        syllables = [self._part("onset") + self._part("vowel") for _ in range(self._syllables())]
        coda, end = self._part("coda"), self._part(ending)
        if not coda and end[0] in "aeiou":
            coda = "n"  # no three vowels in a row
        return ("".join(syllables) + coda + end).capitalize()

    def _part(self, kind: str) -> str:
        return self._rng.choice(words(kind))

    def _syllables(self) -> int:
        return self._rng.choice((1, 1, 2))

    def _new(self, make: Callable[[], str]) -> str:
        while (name := make()) in self._given:
            pass
        self._given.add(name)
        return name
