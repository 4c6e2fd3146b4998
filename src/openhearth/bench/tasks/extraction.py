"""Extraction: what a text says of somebody, to the letter."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

from openhearth.bench.tasks.question import Question, begun, levels, names_only
from openhearth.bench.workloads.facts import Fact, Facts, fields
from openhearth.bench.workloads.lengths import Tier, fill, four_bytes, typical
from openhearth.bench.workloads.long_context import spread
from openhearth.bench.workloads.names import Names
from openhearth.bench.workloads.texts import Writer, paragraphs

PEOPLE = (1, 1, 3, 3, 4, 8)  # of each level's text
FIELDS = (1, 3, 3, 4, 5, 6)  # that are told of each
AROUND = (0, 100, 200, 400, 800, 1600)  # tokens of other text
AS_JSON = 4  # and higher levels ask for JSON, the two highest for that of all people
OBJECT = re.compile(r"\{.*\}", re.DOTALL)


def make(rng: Random, count: int, tier: Tier) -> list[Question]:
    """So many questions of all levels."""
    return [_question(rng, level, tier) for level in levels(count, len(PEOPLE))]


def right(answer: str, check: dict[str, Any]) -> bool:
    """Whether the value, and no other of its kind, is in the answer; or whether the JSON from the
    first to the last brace is equal to the right one, whatever the case of letters.
    """
    if "json" not in check:
        return names_only(answer, check["value"], check["others"])
    found = OBJECT.search(answer)
    try:
        return found is not None and _plain(json.loads(found[0])) == _plain(check["json"])
    except (ValueError, RecursionError):
        return False


def _question(rng: Random, level: int, tier: Tier) -> Question:
    names = Names(rng)
    facts, writer = Facts(rng, names), Writer(rng, names)
    chosen = rng.sample(fields(), FIELDS[level - 1])
    people = [facts.person(chosen) for _ in range(PEOPLE[level - 1])]
    told = [fact.sentence for person in people for fact in person]
    room = round(typical(AROUND[level - 1], tier))
    text = paragraphs(spread(rng, told, fill(writer.sentence, four_bytes, room)))
    ask, check, example = _asked(people, level)
    tokens = 32 + 2 * four_bytes(example)
    return Question("extraction", level, begun(rng, names, text, ask), check, example, tokens)


def _asked(people: list[list[Fact]], level: int) -> tuple[str, dict[str, Any], str]:
    """The question, its check, and a right answer."""
    if level < AS_JSON:
        fact, *others = [person[0] for person in people]
        check = {"value": fact.value, "others": [other.value for other in others]}
        return f"{fact.question} Answer in a few words.", check, f"{fact.value}."
    asked = people[:1] if level == AS_JSON else people
    right = {person[0].name: {fact.field: fact.value for fact in person} for person in asked}
    ask = (
        f"Write down as a JSON object what the text says of {', '.join(right)}: the name is the "
        f"key, and its value an object with {', '.join(fact.field for fact in people[0])}. "
        "Answer with JSON alone."
    )
    return ask, {"json": right}, json.dumps(right)


def _plain(value: Any) -> Any:
    """For a comparison: keys and texts in lower case, numbers as texts."""
    if isinstance(value, dict):
        return {_plain(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return str(value).strip().lower()
