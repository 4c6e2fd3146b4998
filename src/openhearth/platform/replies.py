"""The parts of replies that both completion routes share."""

from __future__ import annotations

import time
import uuid
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from openhearth.platform.generation import Generation

COST = "x-openhearth-cost"  # the header that says what an answer cost, in units
SERVER_TIMING = "server-timing"  # in milliseconds; https://www.w3.org/TR/server-timing/


class PromptDetails(BaseModel):
    """How many tokens of the prompts were found in the cache."""

    cached_tokens: int


class TimingsReply(BaseModel):
    """Seconds from the arrival at the engine until the start, the first token, and the end; before
    that, those of `loading` the model, if it was not in memory.
    """

    queued: float
    first_token: float
    total: float
    loading: float = 0.0


class UsageReply(BaseModel):
    """Tokens read and written, what they cost, in units of a millionth of a cent, and how long they
    took; the last two are no part of OpenAI's form.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    cost: int = 0
    timings: TimingsReply | None = None

    @classmethod
    def of(cls, generation: Generation) -> UsageReply:
        """The API's form of what a finished generation came to."""
        usage, timings = generation.usage, generation.timings
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        return cls(
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=prompt + completion,
            prompt_tokens_details=PromptDetails(cached_tokens=usage.cached_tokens),
            cost=generation.cost,
            timings=TimingsReply(**vars(timings), loading=generation.loading) if timings else None,
        )


class EchoedPrompt(BaseModel):
    """What the model was given, in Together's form of `echo`."""

    text: str


def head(prefix: str, model: str) -> dict[str, Any]:
    """The fields that begin every reply, and every chunk of one stream alike."""
    return {"id": f"{prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}


def charged(reply: BaseModel, generation: Generation) -> Response:
    """A whole answer, with the headers that tell of it."""
    headers = headers_of(generation)
    return Response(reply.model_dump_json(), media_type="application/json", headers=headers)


def headers_of(generation: Generation) -> dict[str, str]:
    """What a whole answer cost, in units, and how long its model was waited for."""
    return {COST: str(generation.cost)} | _waited(generation)


async def first_headers(generation: Generation) -> dict[str, str]:
    """What can be said before a stream: how long its model was waited for.

    Raises:
        HearthError: it will not be answered.
    """
    await generation.begun()
    return _waited(generation)


def _waited(generation: Generation) -> dict[str, str]:
    milliseconds = 1000 * generation.loading
    return {SERVER_TIMING: f"load;dur={milliseconds:.1f}"} if milliseconds else {}
