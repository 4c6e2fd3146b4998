"""A question whose answer is checked without a judge."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random
from typing import Any

from openhearth.bench.records import Ask
from openhearth.bench.workloads.names import Names
from openhearth.bench.workloads.request import nonce


@dataclass(frozen=True)
class Question:
    """Of a task. `level` 1 is the easiest; `check` is plain JSON and is never sent; `example` is a
    right answer.
    """

    task: str
    level: int
    text: str
    check: dict[str, Any]
    example: str
    max_tokens: int
    tools: list[dict[str, Any]] = field(default_factory=list)

    @property
    def body(self) -> dict[str, Any]:
        """Of a request on the chat route, but for how it is sampled."""
        messages = [{"role": "user", "content": self.text}]
        body: dict[str, Any] = {"messages": messages, "max_tokens": self.max_tokens}
        return body | ({"tools": self.tools} if self.tools else {})

    def ask(self, number: int) -> Ask:
        """As a request, whose workload is the task, and whose `check` has the level too."""
        check = self.check | {"level": self.level}
        return Ask(number, self.task, "chat/completions", self.body, check=check)


def levels(count: int, highest: int) -> list[int]:
    """The levels of so many questions: all of them in turn, so that the easy ones are never all."""
    return [number % highest + 1 for number in range(count)]


def begun(rng: Random, names: Names, *parts: str) -> str:
    """A prompt of these paragraphs, which begins as those of workloads do (rule 6)."""
    return "\n\n".join([nonce(rng, names), *parts])


def names_only(answer: str, value: str | int, others: list[str | int]) -> bool:
    """Whether an answer has this value and none of those that it could be mixed up with."""
    return _has(answer, value) and not any(_has(answer, other) for other in others)


def _has(answer: str, value: str | int) -> bool:
    """As a word of its own. In numbers a comma between thousands is left out."""
    if isinstance(value, int):
        answer = re.sub(r"(?<=\d),(?=\d{3}\b)", "", answer)
    return re.search(rf"(?<!\w){re.escape(str(value))}(?!\w)", answer, re.IGNORECASE) is not None
