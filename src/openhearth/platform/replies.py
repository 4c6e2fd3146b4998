"""The parts of replies that both completion routes share."""

from __future__ import annotations

import time
import uuid
from typing import Any

from pydantic import BaseModel

from openhearth.inference.request import Usage


class UsageReply(BaseModel):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, usage: Usage) -> UsageReply:
        """The API's form of the engine's count."""
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        return cls(
            prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion
        )


class EchoedPrompt(BaseModel):
    """What the model was given, in Together's form of `echo`."""

    text: str


def head(prefix: str, model: str) -> dict[str, Any]:
    """The fields that begin every reply, and every chunk of one stream alike."""
    return {"id": f"{prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
