"""Facts that a text tells and a question can ask about, each with one right answer.

No person and no value of a document occurs in two facts that could be mixed up: names are given
once, and of each kind of value none is drawn twice as long as there are others.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from openhearth.bench.workloads.lexicon import words
from openhearth.bench.workloads.names import Names
from openhearth.bench.workloads.texts import date, finish

FILE = Path(__file__).with_name("facts.toml")
Value = str | int
DRAWN: dict[str, Callable[[Random, Names], Value]] = {
    "year": lambda rng, names: rng.randint(1850, 1999),
    "few": lambda rng, names: rng.randint(2, 11),
    "number": lambda rng, names: rng.randint(12, 998),
    "money": lambda rng, names: rng.randint(1001, 99_999),
    "date": lambda rng, names: date(rng),
    "place": lambda rng, names: names.place(),
    "name": lambda rng, names: names.person(),
    "word": lambda rng, names: names.word(),
    "code": lambda rng, names: names.code(),
}
TRIES = 20


@dataclass(frozen=True)
class Fact:
    """One field of one person."""

    name: str
    field: str
    value: Value
    sentence: str
    question: str


class Facts:
    """Draws the facts of one document."""

    def __init__(self, rng: Random, names: Names) -> None:
        self._rng, self._names = rng, names
        self._told: set[tuple[str, Value]] = set()

    def fact(self, field: str | None = None) -> Fact:
        """Something about somebody new."""
        field = field or self._rng.choice(fields())
        return self._fact(self._names.person(), field)

    def person(self, chosen: list[str]) -> list[Fact]:
        """All of these fields of somebody new."""
        name = self._names.person()
        return [self._fact(name, field) for field in chosen]

    def _fact(self, name: str, field: str) -> Fact:
        form = _forms()[field]
        value = self._value(form["kind"])
        sentence = self._rng.choice(form["says"]).format(name=name, value=value)
        return Fact(name, field, value, finish(sentence), form["asks"].format(name=name))

    def _value(self, kind: str) -> Value:
        draw = DRAWN.get(kind, lambda rng, names: rng.choice(words(kind)))
        for _ in range(TRIES):
            if (kind, value := draw(self._rng, self._names)) not in self._told:
                break
        self._told.add((kind, value))
        return value


def fields() -> list[str]:
    """What can be told about a person."""
    return list(_forms())


def json_type(field: str) -> str:
    """The type of a field's values in a JSON schema."""
    return "integer" if _forms()[field]["kind"] in ("year", "few", "number", "money") else "string"


@cache
def _forms() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text())
