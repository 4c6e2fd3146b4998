"""How long prompts and answers of each workload are (rule 5), and a text of a given length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from random import Random
from typing import Literal

from openhearth.bench.measures.tokens import ByBytes

Tier = Literal["small", "full"]
Count = Callable[[str], int]  # tokens of a text, by the neutral tokenizer (rules 7 and 24)
four_bytes: Count = ByBytes().count  # where there is none
FURTHEST = 4  # times the median, and its fourth part: lengths are cut there
SMALLER = 4  # the tier `small` has this part of each length


@dataclass(frozen=True)
class Length:
    """Log-normal, in tokens. `sigma` is the deviation of the logarithm."""

    median: int
    sigma: float

    def draw(self, rng: Random, tier: Tier) -> int:
        """One length, at least 1."""
        median = typical(self.median, tier)
        drawn = rng.lognormvariate(log(median), self.sigma)
        return max(1, round(min(max(drawn, median / FURTHEST), median * FURTHEST)))


@dataclass(frozen=True)
class Lengths:
    """Of a workload. One without answers has vectors."""

    prompt: Length
    answer: Length | None


LENGTHS: dict[str, Lengths] = {
    "chat": Lengths(Length(512, 0.6), Length(256, 0.5)),
    "long_context": Lengths(Length(4096, 0.3), Length(128, 0.3)),
    "code": Lengths(Length(1024, 0.5), Length(128, 0.5)),
    "summary": Lengths(Length(2048, 0.4), Length(192, 0.3)),
    "structured": Lengths(Length(512, 0.4), Length(128, 0.3)),
    "agent": Lengths(Length(1024, 0.2), Length(96, 0.4)),
    "embeddings": Lengths(Length(256, 0.5), None),
    "batch": Lengths(Length(512, 0.6), Length(256, 0.5)),
}


def typical(median: int, tier: Tier) -> float:
    """A length of the table, in tokens, in a tier."""
    return median / SMALLER if tier == "small" else float(median)


def fill(sentence: Callable[[], str], count: Count, room: int) -> list[str]:
    """Sentences of together so many tokens, as nearly as whole ones can be."""
    told: list[str] = []
    while (missing := room - count(" ".join(told))) > 0:
        size = 0
        while size < missing:
            told.append(sentence())
            size += count(told[-1])
    while told and count(" ".join(told)) - room > count(told[-1]) / 2:
        told.pop()
    return told
