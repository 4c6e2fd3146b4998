"""`structured`: facts of a text as JSON of a schema."""

from __future__ import annotations

import json
from typing import Any

from openhearth.bench.workloads.facts import Fact, Facts, fields, json_type
from openhearth.bench.workloads.lengths import fill
from openhearth.bench.workloads.long_context import spread
from openhearth.bench.workloads.request import Draft, Spec, chat_body, nonce, said
from openhearth.bench.workloads.texts import paragraphs

FEWEST, MOST = 1, 5  # fields of a person, beside the name
TOKENS_A_FIELD = 16  # of an answer, for one field more


def structured(spec: Spec) -> Draft:
    """So many people as make the right answer about as long as the answer is to be.

    `check` has that answer as `json`.
    """
    most = min(MOST, FEWEST + spec.answer // TOKENS_A_FIELD)
    chosen = spec.rng.sample(fields(), spec.rng.randint(FEWEST, most))
    people = _people(spec, chosen)
    right = {"people": [_record(facts) for facts in people]}
    start = nonce(spec.rng, spec.writer.names)
    names = ", ".join(facts[0].name for facts in people)
    ask = (
        f"Write down as JSON what the text above says of {names}, in this order: an object with a "
        f"list `people` of objects with the fields name, {', '.join(chosen)}."
    )
    told = [fact.sentence for facts in people for fact in facts]
    room = spec.prompt - spec.count(" ".join([start, ask, *told]))
    text = paragraphs(spread(spec.rng, told, fill(spec.sentence, spec.count, room)))
    answer = max(spec.answer, spec.count(json.dumps(right)))  # at least one person
    body = chat_body([said("user", start, text, ask)], answer)
    return Draft(body | {"response_format": _format(chosen)}, {"json": right})


def _people(spec: Spec, chosen: list[str]) -> list[list[Fact]]:
    """At least one person."""
    facts = Facts(spec.rng, spec.writer.names)
    people: list[list[Fact]] = []
    size = spec.count(json.dumps({"people": []}))
    while not people or size + spec.count(json.dumps(_record(people[-1]))) / 2 < spec.answer:
        people.append(facts.person(chosen))
        size += spec.count(json.dumps(_record(people[-1])))
    return people


def _record(facts: list[Fact]) -> dict[str, Any]:
    return {"name": facts[0].name} | {fact.field: fact.value for fact in facts}


def _format(chosen: list[str]) -> dict[str, Any]:
    """As `strict` of OpenAI's API wants schemas: all fields required, and no others."""
    person = closed({"name": {"type": "string"}} | {f: {"type": json_type(f)} for f in chosen})
    schema = closed({"people": {"type": "array", "items": person}})
    named = {"name": "people", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": named}


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
