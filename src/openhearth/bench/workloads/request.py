"""What all workloads share: what a request is made with, and how its body is put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from openhearth.bench.workloads.lengths import Count
from openhearth.bench.workloads.names import Names
from openhearth.bench.workloads.texts import Sentences, Writer, date

WORDS_PER_TOKEN = 0.75  # of English prose, by the tokenizers of today
HEADINGS = ("Note", "File", "Case", "Letter", "Entry", "Record", "Page", "Ticket")


@dataclass(frozen=True)
class Spec:
    """Of one request: its lengths in tokens, and what its texts are made with."""

    rng: Random
    prompt: int
    answer: int
    count: Count
    writer: Writer
    sentence: Sentences  # the writer's own, or those of a corpus


@dataclass(frozen=True)
class Draft:
    """The body of a request, but for how it is sampled, and what is right about its answer."""

    body: dict[str, Any]
    check: dict[str, Any] = field(default_factory=dict)


def nonce(rng: Random, names: Names) -> str:
    """How a prompt begins (rule 6): 60 random bits and a date, as an office would write it."""
    return f"{rng.choice(HEADINGS)} {names.code(12)}, {date(rng)}."


def words(tokens: int) -> int:
    """So many words of prose as have about these tokens, as a person would say it (rule 8)."""
    count = tokens * WORDS_PER_TOKEN
    step = 10 if count > 50 else 5
    return max(step, round(count / step) * step)


def chat_body(messages: list[dict[str, str]], answer: int) -> dict[str, Any]:
    """The fields that any chat has. `max_tokens` is twice the answer's length (rule 8)."""
    return {"messages": messages, "max_tokens": 2 * answer}


def said(role: str, *parts: str) -> dict[str, str]:
    """A message of these paragraphs."""
    return {"role": role, "content": "\n\n".join(part for part in parts if part)}
