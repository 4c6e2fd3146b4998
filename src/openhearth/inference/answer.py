"""A whole answer, put together from the deltas of its stream."""

from __future__ import annotations

from dataclasses import dataclass, field

from openhearth.inference.request import Delta, Timings, TokenLogprob, Usage


@dataclass
class Answer:
    """What one request brought. `usage` and `timings` are there once it has finished."""

    text: str = ""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Usage | None = None
    timings: Timings | None = None

    def add(self, delta: Delta) -> None:
        """Append what one step brought."""
        self.text += delta.text
        self.tokens.extend(delta.tokens)
        self.logprobs.extend(delta.logprobs)
        self.finish_reason = delta.finish_reason or self.finish_reason
        self.usage = delta.usage or self.usage
        self.timings = delta.timings or self.timings
