"""Code that runs: a small function, put together of steps over a list of whole numbers.

An answer is run against inputs in a process of its own (`sandbox.py`), and only what comes out is
compared here.
"""

from __future__ import annotations

import re
from random import Random
from typing import Any

from openhearth.bench.tasks.question import Question, begun, levels
from openhearth.bench.tasks.sandbox import outputs
from openhearth.bench.workloads.lengths import Tier
from openhearth.bench.workloads.lexicon import nouns
from openhearth.bench.workloads.names import Names

STEPS = (0, 1, 2, 4, 6, 9)  # of each level, before the last
INPUTS = 8  # lists that a function is tried with, the empty one among them
BLOCK = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)

# What a step says of the list, and the Python that does it.
CHANGES = (
    ("Keep only the even numbers.", "xs = [x for x in xs if x % 2 == 0]"),
    ("Keep only the numbers above {n}.", "xs = [x for x in xs if x > {n}]"),
    ("Drop the numbers that can be divided by {k}.", "xs = [x for x in xs if x % {k} != 0]"),
    ("Of equal numbers keep only the first.", "xs = list(dict.fromkeys(xs))"),
    ("Square each number.", "xs = [x * x for x in xs]"),
    ("Multiply each number by {k}.", "xs = [x * {k} for x in xs]"),
    ("Add {n} to each number.", "xs = [x + {n} for x in xs]"),
    ("Replace each number by its distance from {n}.", "xs = [abs(x - {n}) for x in xs]"),
    (
        "Replace each number by the sum of the digits of its absolute value.",
        "xs = [sum(int(d) for d in str(abs(x))) for x in xs]",
    ),
    (
        "Replace the numbers by the differences of each from the one before it.",
        "xs = [b - a for a, b in zip(xs, xs[1:])]",
    ),
    (
        "Replace each number by the sum of all up to it, itself included.",
        "xs = [sum(xs[: i + 1]) for i in range(len(xs))]",
    ),
    ("Sort the numbers, the smallest first.", "xs = sorted(xs)"),
    ("Reverse their order.", "xs = xs[::-1]"),
    ("Keep only the first {k}.", "xs = xs[:{k}]"),
    ("Drop the first {k}.", "xs = xs[{k}:]"),
    ("Move the first {k} to the end.", "xs = xs[{k}:] + xs[:{k}]"),
    ("Replace each number by its remainder when divided by {n}.", "xs = [x % {n} for x in xs]"),
)
LAST = (
    ("Return the list.", "xs"),
    ("Return the sum of the numbers.", "sum(xs)"),
    ("Return how many numbers there are.", "len(xs)"),
    ("Return the largest number, or 0 if there is none.", "max(xs, default=0)"),
    ("Return how many different numbers there are.", "len(set(xs))"),
    ("Return the numbers as a string, joined by '-'.", "'-'.join(str(x) for x in xs)"),
)


def make(rng: Random, count: int, tier: Tier) -> list[Question]:
    """So many questions of all levels. A tier makes no difference to them."""
    return [_question(rng, level) for level in levels(count, len(STEPS))]


def right(answer: str, check: dict[str, Any]) -> bool:
    """Whether the last block of code, or else the whole answer, defines a function that returns
    what it should for all inputs.
    """
    blocks = BLOCK.findall(answer)
    return outputs(blocks[-1] if blocks else answer, check["name"], check["inputs"]) == check["out"]


def _question(rng: Random, level: int) -> Question:
    names, name = Names(rng), f"take_{rng.choice(nouns())}s"
    inputs = [_numbers(rng, size) for size in range(INPUTS)]
    filled, code, out = _telling(rng, level, name, inputs)
    steps = "\n".join(f"{number}. {says}" for number, (says, _) in enumerate(filled, 1))
    ask = (
        f"Write a Python function `{name}(xs)`. It gets a list of whole numbers and does this, "
        f"one after the other:\n{steps}\nAnswer with the code alone."
    )
    check = {"name": name, "inputs": inputs, "out": out}
    example = f"```python\n{code}```"
    return Question("code", level, begun(rng, names, ask), check, example, 96 + 32 * len(filled))


def _telling(
    rng: Random, level: int, name: str, inputs: list[list[int]]
) -> tuple[list[tuple[str, str]], str, list[Any]]:
    """Steps, the function that does them, and what it returns: not nearly always the same."""
    while True:
        drawn = [*rng.sample(CHANGES, STEPS[level - 1]), rng.choice(LAST)]
        filled = [_filled(rng, *step) for step in drawn]
        lines = [*(source for _, source in filled[:-1]), f"return {filled[-1][1]}"]
        code = "\n    ".join([f"def {name}(xs):", *lines]) + "\n"
        out = _run(code, name, inputs)
        if len({str(one) for one in out}) >= INPUTS / 2:
            return filled, code, out


def _filled(rng: Random, says: str, source: str) -> tuple[str, str]:
    numbers = {"n": rng.randint(5, 40), "k": rng.randint(2, 4)}
    return says.format(**numbers), source.format(**numbers)


def _numbers(rng: Random, size: int) -> list[int]:
    return [rng.randint(-60, 99) for _ in range(2 * size)]


def _run(code: str, name: str, inputs: list[list[int]]) -> list[Any]:
    """What our own function returns, which needs no sandbox."""
    space: dict[str, Any] = {}
    exec(code, space)  # noqa: S102 - of the tables above
    return [space[name](list(xs)) for xs in inputs]
