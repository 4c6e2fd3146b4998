"""The parameters that both completion routes share, checked and turned into `Sampling`.

Ranges of numbers are checked by `Sampling` alone. Null means the default. Parameters that nobody
here has heard of are ignored, because the clients send many; those that would change the answer,
but are not served, are refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from openhearth.errors import UsageError
from openhearth.inference.request import BadConstraint, Constraint, ModelCard, Sampling
from openhearth.inference.response_format import constraint_of
from openhearth.platform.errors import bad_request

MAX_CHOICES = 16
Alternatives = Annotated[int, Field(ge=0, le=20)]  # as many as OpenAI's API gives
StopString = Annotated[str, Field(max_length=256)]

# Parameters that `Sampling` knows by the same name.
NUMBERS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
)

NOT_HERE = "it belongs to /v1/chat/completions"
# Known parameters that are not served: the values that ask for nothing, and why.
UNSERVED: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "audio": ((), "models here write text"),
    "best_of": ((1,), "it belongs to /v1/completions; use n"),
    "chat_template_kwargs": (({},), NOT_HERE),
    "compliance": ((), "nobody has certified this server"),
    "function_call": (("none", "auto"), NOT_HERE),
    "functions": (([],), NOT_HERE),
    "modalities": ((["text"],), "models here write text"),
    "moderation": ((), "no model moderates here; ask one yourself"),
    "safety_model": ((), "no model moderates here; ask one yourself"),
    "suffix": (("",), "models here only go on from a text"),
    "tool_choice": (("none", "auto"), NOT_HERE),
    "tools": (([],), NOT_HERE),
    "web_search_options": ((), "nothing is looked up; offer a tool that does"),
}


def refuse(given: Mapping[str, Any], unserved: Mapping[str, tuple[tuple[Any, ...], str]]) -> None:
    """Raise a 400 for the first parameter that asks for something which is not served."""
    for name, value in given.items():
        idle, reason = unserved.get(name, ((value,), ""))
        if value is not None and value not in idle:
            message = f"{name} is not supported: {reason}."
            raise bad_request(message, name, "unsupported_parameter")


def room_after(card: ModelCard, prompt: int) -> int:
    """How many tokens fit the model's context, and the memory, behind so many; at least one, so
    that of a prompt that is too long the engine says so.
    """
    room = card.context_length if card.room is None else min(card.context_length, card.room)
    return max(1, room - prompt)


class StreamOptions(BaseModel):
    """Whether a stream ends with a chunk that holds only the usage."""

    include_usage: bool | None = None


class GenerationParameters(BaseModel):
    """What a request says about the model, the sampling and the form of the answer."""

    model_config = ConfigDict(strict=True, extra="allow")

    model: str = Field(max_length=256)
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = Field(None, max_length=1024)
    n: int | None = Field(None, ge=1, le=MAX_CHOICES)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: StopString | Annotated[list[StopString], Field(max_length=16)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    response_format: dict[str, Any] | None = None
    priority: int | None = Field(None, ge=0, lt=2**31)  # nobody gets ahead of another's requests
    echo: bool | None = None
    context_length_exceeded_behavior: Literal["truncate", "error"] | None = None

    @field_validator("logit_bias")
    @classmethod
    def _keys_are_tokens(cls, bias: dict[str, float] | None) -> dict[str, float] | None:
        for key in bias or {}:
            if not (key.isascii() and key.isdecimal() and len(key) < 10):
                raise ValueError("the keys must be token ids")
        return bias

    @property
    def choices(self) -> int:
        """How many answers are wanted to each prompt."""
        return self.n or 1

    @property
    def engine_priority(self) -> int:
        """The engine's priority. In a body, as for vLLM, the lowest number goes first."""
        return -(self.priority or 0)

    @property
    def include_usage(self) -> bool:
        """Whether the stream ends with a chunk of usage alone."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def refuse_unserved(self) -> None:
        """Raise a 400 for a parameter that would change the answer and is not served."""
        refuse(self.model_extra or {}, UNSERVED)

    def most_tokens(self, asked: int | None, card: ModelCard | None, prompt: int) -> int | None:
        """How long an answer to so many tokens may be: as asked, unless what does not fit the
        context is to be cut.
        """
        if self.context_length_exceeded_behavior != "truncate" or card is None:
            return asked
        rest = room_after(card, prompt)
        return rest if asked is None else min(asked, rest)

    def constraint(self) -> Constraint | None:
        """The form that the answer must have.

        Raises:
            ApiError: 400, there is no such form.
        """
        try:
            return constraint_of(self.response_format)
        except BadConstraint as error:
            raise bad_request(str(error), "response_format") from error

    def samplings(
        self, *, max_tokens: int | None, logprobs: int | None, choices: int, **form: Any
    ) -> list[Sampling]:
        """One `Sampling` for each choice; with a seed, choice i is drawn with seed + i.

        `form` are the fields of `Sampling` that say what the answer must look like.

        Raises:
            ApiError: 400, a value is out of range.
        """
        values = {name: getattr(self, name) for name in NUMBERS} | {"max_tokens": max_tokens}
        given = {name: value for name, value in values.items() if value is not None}
        bias = {int(token): value for token, value in (self.logit_bias or {}).items()}
        try:
            first = Sampling(
                **given,
                logit_bias=bias,
                stop=self.stop or (),
                logprobs=logprobs,
                **form,
            )
        except UsageError as error:
            raise bad_request(str(error), str(error).partition(" ")[0]) from error
        if self.seed is None:
            return [first] * choices
        seeds = ((self.seed + choice) % 2**63 for choice in range(choices))
        return [dataclasses.replace(first, seed=seed) for seed in seeds]
