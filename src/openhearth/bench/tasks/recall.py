"""Recall: facts that stand somewhere in a long text, among others like them."""

from __future__ import annotations

from random import Random
from typing import Any

from openhearth.bench.tasks.question import Question, begun, levels, names_only
from openhearth.bench.workloads.facts import Fact, Facts
from openhearth.bench.workloads.lengths import Tier, fill, four_bytes, typical
from openhearth.bench.workloads.long_context import spread
from openhearth.bench.workloads.names import Names
from openhearth.bench.workloads.texts import Writer, paragraphs

LENGTHS = (400, 1000, 2000, 4000, 4000, 4000)  # tokens of each level's text
LIKE = (1, 2, 4, 8, 8, 8)  # other facts of the same kind
HOPS = (0, 0, 0, 0, 1, 3)  # people between whom the question names and whom it asks about
LINK = "doctor_name"  # the field that leads from one person to the next
ASKED = ("home_town", "pet", "locker_code", "house_number", "bought_thing", "birth_year")


def make(rng: Random, count: int, tier: Tier) -> list[Question]:
    """So many questions of all levels."""
    return [_question(rng, level, tier) for level in levels(count, len(LENGTHS))]


def right(answer: str, check: dict[str, Any]) -> bool:
    """Whether the value, and no other of its kind, is in the answer."""
    return names_only(answer, check["value"], check["others"])


def _question(rng: Random, level: int, tier: Tier) -> Question:
    names = Names(rng)
    facts, writer, field = Facts(rng, names), Writer(rng, names), rng.choice(ASKED)
    links = [facts.fact(LINK) for _ in range(HOPS[level - 1])]
    wanted = facts.fact(field)
    chain = _chain(links, wanted)
    others = [facts.fact(field) for _ in range(LIKE[level - 1])]
    astray = [facts.fact(LINK) for _ in links]
    told = [fact.sentence for fact in [*chain, *others, *astray]]
    room = round(typical(LENGTHS[level - 1], tier)) - four_bytes(" ".join(told))
    text = paragraphs(spread(rng, told, fill(writer.sentence, four_bytes, room)))
    ask = f"{_ask(chain)} Answer from the text above, in a few words."
    check = {"value": wanted.value, "others": [other.value for other in others]}
    return Question("recall", level, begun(rng, names, text, ask), check, f"{wanted.value}.", 64)


def _chain(links: list[Fact], wanted: Fact) -> list[Fact]:
    """The links, so that each leads to the next, and the last to whom the wanted fact is about."""
    ends = [*(link.name for link in links[1:]), wanted.name]
    joined = [
        Fact(link.name, link.field, end, link.sentence.replace(str(link.value), end), link.question)
        for link, end in zip(links, ends, strict=False)
    ]
    return [*joined, wanted]


def _ask(chain: list[Fact]) -> str:
    """Such as: what does the doctor of the doctor of Anna keep?"""
    *links, wanted = chain
    whom = "the doctor of " * len(links) + chain[0].name
    return wanted.question.replace(wanted.name, whom)
