"""What is true of a stub: its speed, its capacity, its faults, its model, and its lies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=3600)]
Factor = Annotated[float, Field(gt=0, le=1000)]

# How an answer can go wrong, and as which `Failure` a client should tell it.
Fault = Literal[
    "hang_up",  # the connection ends before the answer: connection
    "die",  # it ends in the middle of it: cut
    "stop",  # the response ends in order, but in the middle of the answer: cut
    "silence",  # nothing comes: timeout
    "stall",  # nothing more comes, in the middle: timeout
    "no_http",  # malformed
    "html",  # a page, and status 200: malformed
    "broken_event",  # no JSON, in the middle: malformed
    "error_event",
    "whole",  # JSON, not a stream: not_streaming
    "empty",  # a stream without content
    "endless",  # a line without an end: too_large
    "key",  # 401
    "rate_limit",  # 429
    "refused",  # 400
    "server",  # 500
    "redirect",  # 307
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Times(_Part):
    """A log-normal distribution of seconds; with `sigma` 0 always the median, 0 is at once."""

    median_s: Seconds = 0.0
    sigma: Annotated[float, Field(ge=0, le=3)] = 0.0

    def draw(self, rng: np.random.Generator) -> float:
        """One of them."""
        if self.sigma == 0 or self.median_s == 0:
            return self.median_s
        return self.median_s * float(np.exp(rng.normal(0, self.sigma)))


class Answering(_Part):
    """A model: which words follow which, and how well it does what it is asked.

    `known` has the right answer for the SHA-256 of a question (`question_key`); it is given to the
    share `solves` of them. Whether a question is solved, a tool called and its arguments valid is
    decided by the question alone, so that of two models with other shares exactly the difference
    answers otherwise.
    """

    seed: int = 0
    other: Share = 0.0  # weight of another model's logits
    sigma: Annotated[float, Field(ge=0, le=10)] = 0.0  # of what quantising adds to each logit
    sharpness: Annotated[float, Field(ge=0, le=20)] = 2.0  # deviation of logits
    length: Annotated[float, Field(ge=1, le=1e6)] = 200.0  # tokens to an end, on average
    shorter: Annotated[float, Field(gt=0, le=1)] = 1.0  # answers are cut to that part
    solves: Share = 1.0
    calls: Share = 1.0  # of questions with tools, those that are answered by a call
    valid: Share = 1.0  # of the calls, those that keep the tool's schema
    thinks: Annotated[int, Field(ge=0, le=10_000)] = 0  # tokens of thoughts before the answer


class Truth(_Part):
    """All of it. The default is a sound server that answers at once."""

    model: str = "stub"  # its name
    seed: int = 0  # of times, faults, and answers that are drawn without a seed of their own
    canned: Annotated[int, Field(ge=1, le=100_000)] | None = None  # that many words, no model
    first: Times = Times()  # from the begin of the work on a request to its first token
    prompt_s: Seconds = 0.0  # more, for each token of the prompt
    gap: Times = Times()  # between chunks
    chunk: Annotated[int, Field(ge=1, le=1000)] = 1  # tokens
    at_once: Annotated[int, Field(ge=1)] | None = None  # requests; others wait, in their order
    rate_limit: Annotated[float, Field(gt=0)] | None = None  # requests a second, else 429
    slower_after_s: Seconds | None = None  # since the first request
    slower_by: Factor = 1.0  # all times, from then on
    faults: dict[Fault, Share] = {}
    usage_factor: Factor = 1.0  # of the tokens that are told
    stores: bool = False  # the answer to a prompt is the answer for ever after
    stored_by: Factor = 0.1  # of the times, for a stored answer
    admits: bool = False  # that another model answers, if one does
    serves: Answering = Answering()
    instead: Answering | None = None  # what really serves,
    instead_from: Annotated[int, Field(ge=0)] = 0  # when at least so many are under way,
    instead_not: str | None = None  # unless the prompt looks like a test: this pattern is in it
    known: dict[str, str] = {}
    dimensions: Annotated[int, Field(ge=1, le=4096)] = 64  # of embeddings
    key: str = ""  # that is asked for; empty: none
    certificate: Path | None = None  # PEM: TLS,
    private_key: Path | None = None  # by this one

    @model_validator(mode="after")
    def _at_most_all(self) -> Truth:
        if sum(self.faults.values()) > 1:
            raise ValueError("the shares of faults come to more than 1")
        return self
