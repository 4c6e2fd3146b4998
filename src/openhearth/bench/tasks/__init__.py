"""Tasks: questions made from seeds, whose answers are checked without a judge (rules 35 and 36).

Each of `TASKS` is a file with `make` and `right`; questions about tools are scored by their calls
(`tools.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from openhearth.bench.tasks import arithmetic, code, extraction, instructions, recall, tools
from openhearth.bench.tasks.question import Question
from openhearth.bench.tasks.tools import Score, score
from openhearth.bench.workloads.lengths import Tier

MAKERS: dict[str, Callable[[Random, int, Tier], list[Question]]] = {
    "arithmetic": arithmetic.make,
    "extraction": extraction.make,
    "instructions": instructions.make,
    "code": code.make,
    "recall": recall.make,
    "tools": tools.make,
}
CHECKERS: dict[str, Callable[[str, dict[str, Any]], bool]] = {
    "arithmetic": arithmetic.right,
    "extraction": extraction.right,
    "instructions": instructions.right,
    "code": code.right,
    "recall": recall.right,
}
TASKS = tuple(CHECKERS)

__all__ = ["MAKERS", "TASKS", "Question", "Score", "make", "right", "score"]


def make(task: str, rng: Random, count: int, tier: Tier) -> list[Question]:
    """So many questions of a task, or of `tools`; levels come in turn."""
    return MAKERS[task](rng, count, tier)


def right(task: str, answer: str, check: dict[str, Any]) -> bool:
    """Whether an answer is right, by the `check` of its question."""
    return CHECKERS[task](answer, check)
