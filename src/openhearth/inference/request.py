"""What goes into the engine and what comes out: requests, sampling parameters, deltas."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Literal

from openhearth.errors import HearthError, UsageError

LARGEST_VOCABULARY = 1_000_000  # tokens; what lies above is a mistake


class EngineBusy(HearthError):
    """The queue is full or the engine is closing: the same request may succeed later."""


class DeadlinePassed(EngineBusy):
    """The engine had too much to do to start on a request in the time that it allowed."""


class BadAdapter(UsageError):
    """The adapter that a request names cannot be used: no other request has to do with it."""


class BadConstraint(UsageError):
    """The form that an answer must have makes no sense, is too large, or nothing can have it."""


class ContextTooLong(UsageError):
    """The prompt, or the prompt with its answer, does not fit the model's context."""


@dataclass(frozen=True)
class Constraint:
    """What an answer must be: JSON by a schema (as its text), a match of a whole regular
    expression, one of several texts, or a sentence of a grammar (in llguidance's form of Lark).
    """

    kind: Literal["json_schema", "regex", "choice", "grammar"]
    value: str | tuple[str, ...]


@dataclass(frozen=True)
class Sampling:
    """How to choose the next token. The defaults are those of the OpenAI API.

    `temperature` 0 is greedy. `top_k` 0 and `top_p` 1 switch those filters off. `logprobs` is the
    number of alternatives to report beside the chosen token, at most as many as there are tokens;
    None reports nothing. `stop` is a text before which the answer ends, or several. The text of an
    answer leaves out special tokens, unless `skip_special_tokens` is false.

    Raises:
        UsageError: a value is outside its range; the text names the parameter.
    """

    max_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    seed: int | None = None
    stop: Sequence[str] = ()
    skip_special_tokens: bool = True
    logprobs: int | None = None
    constraint: Constraint | None = None

    def __post_init__(self) -> None:
        ranges = {
            "max_tokens": (1, 1_000_000),
            "temperature": (0.0, 2.0),
            "top_p": (0.0, 1.0),
            "top_k": (0, LARGEST_VOCABULARY),
            "min_p": (0.0, 1.0),
            "repetition_penalty": (0.01, 10.0),
            "presence_penalty": (-2.0, 2.0),
            "frequency_penalty": (-2.0, 2.0),
        }
        for name, (low, high) in ranges.items():
            _check_range(name, getattr(self, name), low, high)
        if self.logprobs is not None:
            _check_range("logprobs", self.logprobs, 0, LARGEST_VOCABULARY)
        for token, bias in self.logit_bias.items():
            _check_range(f"logit_bias of token {token}", bias, -100.0, 100.0)
        for name in ("max_tokens", "top_k", "logprobs", "seed"):
            value = getattr(self, name)
            if not (value is None or isinstance(value, Integral)):
                raise UsageError(f"{name} is {value}, but must be a whole number.")
        stops = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
        if not all(isinstance(stop, str) for stop in stops):
            raise UsageError(f"stop is {stops}, but must be a text, or several.")
        object.__setattr__(self, "stop", stops)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # nor is NaN
        raise UsageError(f"{name} is {value}, but must lie between {low} and {high}.")


@dataclass(frozen=True)
class Request:
    """One prompt, as tokens, for one model (a base or an adapter, by name).

    The highest `priority` goes first, and tenants share alike what is left. A request that has
    not started `deadline` seconds after it came ends with `DeadlinePassed`.

    Raises:
        UsageError: priority or deadline is no such number.
    """

    model: str
    prompt: Sequence[int]
    sampling: Sampling = field(default_factory=Sampling)
    priority: int = 0
    tenant: str = ""
    deadline: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.priority, Integral):
            raise UsageError(f"priority is {self.priority}, but must be a whole number.")
        if self.deadline is not None:
            _check_range("deadline", self.deadline, 0.0, math.inf)


@dataclass(frozen=True)
class TokenLogprob:
    """A token, its natural-log probability before any filter, and the likeliest alternatives.

    `top` holds (id, text, logprob), likeliest first.
    """

    id: int
    text: str
    logprob: float
    top: tuple[tuple[int, str, float], ...] = ()


@dataclass(frozen=True)
class Usage:
    """Tokens of one request; `cached_tokens` of the prompt's were found in the cache."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True)
class Timings:
    """Seconds from a request's arrival: until it started, its first token, and its end."""

    queued: float
    first_token: float
    total: float


@dataclass(frozen=True)
class Delta:
    """One step of one request's stream.

    `text` may be empty while bytes of a character or of a possible stop string are held back. The
    last delta has a `finish_reason` (`stop`, `length`, `cancelled`), the `usage` and `timings`.
    """

    text: str = ""
    tokens: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None
    timings: Timings | None = None


@dataclass(frozen=True)
class ModelCard:
    """A model that an engine serves: `base` is None for a base model, else the adapter's base. The
    memory may hold fewer tokens of one request than the context: then `room` says how many.
    """

    name: str
    digest: str
    context_length: int
    base: str | None = None
    license: tuple[str, ...] = ()
    created: int = 0
    room: int | None = None
