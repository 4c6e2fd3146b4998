"""`code`: go on with a Python file.

It is asked on the chat route: many servers have no completions of plain text any more, and one
route for all workloads lets no server tell a question of the gate by it (rule 31).
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from random import Random
from string import Template
from typing import Any

from openhearth.bench.workloads.lengths import fill
from openhearth.bench.workloads.lexicon import adjectives, nouns, words
from openhearth.bench.workloads.request import Draft, Spec, chat_body, nonce, said

FILE = Path(__file__).with_name("code.toml")
TOKENS_A_LINE = 10
FEWEST_LINES = 3
HEAD = Template('''"""$nonce

The ${noun}s of the $building in $place.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class $Thing:
    """One $noun and whose it is."""

    owner: str
$fields
''')
LAST = Template('''
def ${field}_of_${quality}_${thing}s(${thing}s: list[$Thing], owner: str) -> list[int]:
    """The $field of every $noun of `owner` that is $quality enough: above $number."""
''')


def code(spec: Spec) -> Draft:
    """The file ends where a function begins. `check` has that function's name."""
    rng, names = spec.rng, spec.writer.names
    kind, fields = [rng.choice(adjectives()), rng.choice(nouns())], _fields(rng)
    slots = {
        "noun": " ".join(kind),
        "thing": "_".join(kind),
        "Thing": "".join(word.capitalize() for word in kind),
        "nonce": nonce(rng, names),
        "place": names.place(),
        "building": rng.choice(words("building")),
        "fields": "\n".join(f"    {name}: int = {rng.randint(0, 99)}" for name in fields),
    }
    lines = max(FEWEST_LINES, round(spec.answer / TOKENS_A_LINE))
    ask = f"Go on with this Python file by about {lines} lines. Answer with these lines alone."
    head = HEAD.substitute(slots).strip()
    last = LAST.substitute(slots | _drawn(rng, fields)).strip()
    room = spec.prompt - spec.count("\n".join([ask, head, last]))
    given: set[str] = set()
    body = fill(lambda: _function(rng, slots, fields, given), spec.count, room)
    file = "\n\n\n".join([head, *body, last])
    messages = [said("user", f"{file}\n\n{ask}")]
    return Draft(chat_body(messages, spec.answer), {"function": _name(last)})


def _fields(rng: Random) -> list[str]:
    known = _file()["fields"]
    return rng.sample(known, rng.randint(len(known) // 2, len(known)))


def _function(rng: Random, slots: dict[str, str], fields: list[str], given: set[str]) -> str:
    """One that the file does not have yet."""
    while True:
        form = Template(rng.choice(_file()["function"])["text"])
        made = form.substitute(slots | _drawn(rng, fields)).strip()
        if _name(made) not in given:
            given.add(_name(made))
            return made


def _drawn(rng: Random, fields: list[str]) -> dict[str, str]:
    quality = rng.choice(adjectives())
    return {
        "quality": quality,
        "Quality": quality.capitalize(),
        "field": rng.choice(fields),
        "number": str(rng.randint(2, 999)),
    }


def _name(function: str) -> str:
    return function.split("(")[0].split(":")[0].split()[1]


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text())
