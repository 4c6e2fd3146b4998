"""Tools (rule 36): requests that need one of the tools, and others that need none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from openhearth.bench.tasks.question import Question, begun, levels
from openhearth.bench.workloads.lengths import Tier
from openhearth.bench.workloads.lexicon import nouns, words
from openhearth.bench.workloads.names import Names
from openhearth.bench.workloads.structured import closed
from openhearth.errors import MissingExtra

OFFERED = (1, 2, 4, 6)  # tools, at each level
MAX_TOKENS = 128
TEXT, WHOLE = {"type": "string"}, {"type": "integer", "minimum": 1}
# Of each tool: what it does, its parameters, and a request that needs it.
TOOLS: dict[str, tuple[str, dict[str, Any], str]] = {
    "get_weather": (
        "The weather of a town on a day",
        {"town": TEXT, "day": TEXT},
        "What will the weather be in {town} on {day}?",
    ),
    "get_price": (
        "The price of a thing in a town today, in crowns",
        {"thing": TEXT, "town": TEXT},
        "What does a {thing} cost in {town} today?",
    ),
    "order": (
        "Order some of a thing",
        {"thing": TEXT, "count": WHOLE},
        "Please order {count} {thing}s for me.",
    ),
    "book_room": (
        "Book a room of an inn",
        {"town": TEXT, "nights": WHOLE, "meals": {"type": "string", "enum": ["none", "half"]}},
        "Book me a room in {town} for {count} nights, without meals.",
    ),
    "send_message": (
        "Send a message to a person",
        {"to": TEXT, "text": TEXT},
        "Tell {name} by message that the {thing} has arrived.",
    ),
    "find_address": (
        "Where a person lives",
        {"name": TEXT},
        "Find out where {name} lives.",
    ),
    "set_reminder": (
        "Remind the user of something on a day",
        {"day": TEXT, "about": TEXT},
        "Remind me of the {thing} on {day}.",
    ),
}
NEEDLESS = (
    "What is the plural of the word {thing}?",
    "Write a short rhyme about a {thing}.",
    "Thank you, that was all about {matter}.",
    "Which is longer, a month or a week?",
    "Explain in a sentence what a {thing} is for.",
)


@dataclass(frozen=True)
class Score:
    """Whether a tool was to be called, whether one was, and of each call if it keeps its schema."""

    expected: bool
    called: bool
    valid: list[bool]


def make(rng: Random, count: int, tier: Tier) -> list[Question]:
    """So many questions of all levels; every third needs no tool, or one that is not offered."""
    return [
        _question(rng, level, needed=number % 3 != 2)
        for number, level in enumerate(levels(count, len(OFFERED)))
    ]


def score(calls: Sequence[tuple[str, str]], check: dict[str, Any]) -> Score:
    """Of an answer with these calls: each the name and the arguments, as the server wrote them.

    Raises:
        MissingExtra: the package `jsonschema` is not installed.
    """
    valid = [_keeps(name, arguments, check["schemas"]) for name, arguments in calls]
    return Score(check["tool"] is not None, bool(calls), valid)


def _question(rng: Random, level: int, *, needed: bool) -> Question:
    names = Names(rng)
    offered = rng.sample(list(TOOLS), OFFERED[level - 1])
    others = [frame for name, (_, _, frame) in TOOLS.items() if name not in offered]
    tool = rng.choice(offered) if needed else None
    frame = TOOLS[tool][2] if tool else rng.choice([*NEEDLESS, *others])
    ask = frame.format(
        town=names.place(),
        name=names.person(),
        day=rng.choice(words("day")),
        thing=rng.choice(nouns()),
        count=rng.randint(2, 12),
        matter=rng.choice(words("matter")),
    )
    schemas = {name: closed(TOOLS[name][1]) for name in offered}
    tools = [_definition(name, schema) for name, schema in schemas.items()]
    check = {"tool": tool, "schemas": schemas}
    text = begun(rng, names, ask)
    return Question("tools", level, text, check, _example(tool), MAX_TOKENS, tools)


def _definition(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    function = {"name": name, "description": TOOLS[name][0], "parameters": schema}
    return {"type": "function", "function": function}


def _example(tool: str | None) -> str:
    """The arguments of a sound call, or text."""
    if tool is None:
        return "No tool is needed for that."
    values = {"string": "none", "integer": 2}
    return json.dumps({key: values[one["type"]] for key, one in TOOLS[tool][1].items()})


def _keeps(name: str, arguments: str, schemas: dict[str, Any]) -> bool:
    try:
        from jsonschema import Draft202012Validator
    except ModuleNotFoundError as error:
        raise MissingExtra("jsonschema", "bench") from error
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return name in schemas and Draft202012Validator(schemas[name]).is_valid(value)
