"""What the server counts itself, against the neutral tokenizer (rule 25).

Compared are answers of text alone, since a model writes more around thoughts and calls than comes
of it, and chats of one message, around which a template writes what it does around an empty one. An
answer that the model ended may be counted with its end token.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openhearth.bench.measures.timing import Timing
from openhearth.bench.records import Part

TOLERANCE = 0.01


@dataclass(frozen=True)
class Comparison:
    """Tokens of so many texts as the server told them (without what a template adds) and as they
    were counted.
    """

    texts: int
    told: int
    counted: int

    @property
    def differs(self) -> bool:
        """Whether by more than 1 %, which is a finding."""
        return abs(self.told - self.counted) > TOLERANCE * self.counted


def compare_answers(timings: Iterable[Timing]) -> Comparison:
    """The usage of answers."""
    pairs = []
    for timing in timings:
        record = timing.record
        plain = all(chunk.part is Part.TEXT for chunk in record.chunks)
        told = record.completion_tokens
        if told is not None and plain and timing.tokens and not (timing.failed or record.hung_up):
            ended = record.finish == "stop" and told > timing.tokens
            pairs.append((told - ended, timing.tokens))
    return _compare(pairs)


def compare_prompts(timings: Iterable[Timing], template: int) -> Comparison:
    """The usage of prompts. `template` is the usage of a chat of one empty message."""
    pairs = []
    for timing in timings:
        record = timing.record
        messages = record.request.get("messages", ())
        alone = len(messages) == 1 and not record.request.get("tools")
        if record.prompt_tokens is not None and alone:
            pairs.append((record.prompt_tokens - template, timing.prompt_tokens))
    return _compare(pairs)


def _compare(pairs: Sequence[tuple[int, int]]) -> Comparison:
    told, counted = (math.fsum(side) for side in zip(*pairs, strict=True)) if pairs else (0, 0)
    return Comparison(len(pairs), int(told), int(counted))
