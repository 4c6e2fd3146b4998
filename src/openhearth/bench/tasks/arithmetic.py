"""Arithmetic: a sum, or a story in which a number changes, step by step."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any

from openhearth.bench.tasks.question import Question, begun, levels
from openhearth.bench.workloads.lengths import Tier
from openhearth.bench.workloads.lexicon import nouns, words
from openhearth.bench.workloads.names import Names

STEPS = (0, 1, 2, 4, 8, 12)  # of each level; without one it is a sum
LARGEST = (9, 9, 20, 100, 300, 900)  # number that a step names
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
MARK = re.compile(r"answer\s*:", re.IGNORECASE)

Step = tuple[str, int]  # what the story says, and how many there are then


def make(rng: Random, count: int, tier: Tier) -> list[Question]:
    """So many questions of all levels. A tier makes no difference to them."""
    return [_question(rng, level) for level in levels(count, len(STEPS))]


def right(answer: str, check: dict[str, Any]) -> bool:
    """Whether the number after the last `Answer:`, or else the last number, is the right one."""
    marks = list(MARK.finditer(answer))
    numbers = NUMBER.findall(answer[marks[-1].end() :]) if marks else NUMBER.findall(answer)[-1:]
    return bool(numbers) and float(numbers[0].replace(",", "")) == check["number"]


def _question(rng: Random, level: int) -> Question:
    names = Names(rng)
    ask, have = _story(rng, names, level) if STEPS[level - 1] else _sum(rng)
    return Question(
        "arithmetic",
        level,
        begun(rng, names, ask),
        {"number": have},
        f"Answer: {have}",
        64 + 32 * STEPS[level - 1],
    )


def _sum(rng: Random) -> Step:
    one, other = rng.randint(1, LARGEST[0]), rng.randint(1, LARGEST[0])
    return f"What is {one} + {other}?", one + other


def _story(rng: Random, names: Names, level: int) -> Step:
    name, thing, largest = names.person().split()[0], rng.choice(nouns()), LARGEST[level - 1]
    have = rng.randint(2, largest)
    story = [f"{name} has {have} {thing}s."]
    for _ in range(STEPS[level - 1]):
        says, have = rng.choice(CHANGES)(rng, have, largest)
        story.append(says.format(name=name, thing=f"{thing}s", person=rng.choice(words("person"))))
    ask = f"How many {thing}s does {name} have now? End with a line `Answer:` and the number."
    return f"{' '.join(story)} {ask}", have


def _more(rng: Random, have: int, largest: int) -> Step:
    number = rng.randint(2, largest)
    return f"{{name}} buys {number} more.", have + number


def _fewer(rng: Random, have: int, largest: int) -> Step:
    if have < 3:
        return _more(rng, have, largest)
    number = rng.randint(1, min(have - 1, largest))
    return f"{{name}} sells {number} of them to a {{person}}.", have - number


def _gifts(rng: Random, have: int, largest: int) -> Step:
    givers, each = rng.randint(2, 9), rng.randint(2, max(3, largest // 10))
    return f"Each of {givers} friends gives {{name}} {each} {{thing}}.", have + givers * each


def _twice(rng: Random, have: int, largest: int) -> Step:
    if have > 10 * largest:
        return _halves(rng, have, largest)
    return "Then {name} gets as many again as there are.", 2 * have


def _halves(rng: Random, have: int, largest: int) -> Step:
    if have % 2:
        return _more(rng, have, largest)
    return "{name} gives half of them away.", have // 2


def _boxes(rng: Random, have: int, largest: int) -> Step:
    size = rng.randint(3, 9)
    if have < size:
        return _gifts(rng, have, largest)
    says = f"For every full row of {size} that {{name}} can make of them"
    return f"{says}, a {{person}} adds 2.", have + 2 * (have // size)


CHANGES: tuple[Callable[[Random, int, int], Step], ...] = (
    _more,
    _more,
    _fewer,
    _fewer,
    _gifts,
    _twice,
    _halves,
    _boxes,
)
