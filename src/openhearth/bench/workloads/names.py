"""Names of people, places and things that nobody has: syllables put together, none given twice."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

ONSETS = "b br d dr f g gr h j k kl l m n p r s st t tr v w z".split()
VOWELS = "a e i o u ai ea ie".split()
CODAS = ["", "", "", "l", "m", "n", "r", "s", "nd", "rn"]
PERSONS = "a as el en ette ia in ine is o on us".split()
FAMILIES = "berg dal er feld garde ham ier ino kov man mont ov quist sen son ton ward well".split()
PLACES = "bridge burgh bury by dale field ford haven holm mouth port stead ton wick".split()
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without those that look alike


class Names:
    """Gives out names by a generator of random numbers; equal ones are drawn again."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._given: set[str] = set()

    def person(self) -> str:
        """First and family name."""
        return self._new(lambda: f"{self._stem(PERSONS)} {self._stem(FAMILIES)}")

    def place(self) -> str:
        """Of a town."""
        return self._new(lambda: self._stem(PLACES))

    def word(self) -> str:
        """Of a boat, or whatever has one word for a name."""
        return self._new(lambda: self._stem(["", "a", "o"]) + self._rng.choice(["ra", "lis", "mo"]))

    def code(self, length: int = 8) -> str:
        """Letters and digits in groups of four, such as K7QP-2M4X."""
        drawn = "".join(self._rng.choices(LETTERS, k=length))
        return "-".join(drawn[i : i + 4] for i in range(0, length, 4))

    def _stem(self, endings: list[str]) -> str:
        rng = self._rng
        syllables = [rng.choice(ONSETS) + rng.choice(VOWELS) for _ in range(rng.choice((1, 1, 2)))]
        coda = rng.choice(CODAS)
        ending = rng.choice(endings)
        if not coda and ending[:1] in ("a", "e", "i", "o", "u"):
            coda = "n"  # no three vowels in a row
        return ("".join(syllables) + coda + ending).capitalize()

    def _new(self, make: Callable[[], str]) -> str:
        while (name := make()) in self._given:
            pass
        self._given.add(name)
        return name
