"""What `POST /v1/chat/completions` answers: the whole of it, or chunks.

Every chunk's delta has a role, because Together's type requires one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel

from openhearth.platform.logprobs import TokenLists, TokenObjects
from openhearth.platform.replies import EchoedPrompt, UsageReply
from openhearth.platform.tools import ArgumentsPiece, CallDelta, CalledFunction, CalledTool


class Message(BaseModel):
    """The assistant's turn, or a part of it."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None


class CallingMessage(Message):
    """A turn that calls tools."""

    tool_calls: Sequence[CalledTool]


class OldCallingMessage(Message):
    """A turn that calls a function in the old form, or a part of it."""

    function_call: CalledFunction | ArgumentsPiece


class ThinkingStep(Message):
    """A part of a turn that is thought, by both names that there are for it."""

    reasoning_content: str
    reasoning: str


class ThinkingMessage(ThinkingStep):
    """A turn that was thought about, and may call tools."""

    tool_calls: Sequence[CalledTool] | None = None
    function_call: CalledFunction | None = None


class CallingStep(Message):
    """A part of a turn that goes on with a call."""

    tool_calls: Sequence[CallDelta]


class ChatChoice(BaseModel):
    """One of the n answers."""

    index: int
    message: Message | CallingMessage | OldCallingMessage | ThinkingMessage
    finish_reason: str | None
    logprobs: TokenObjects | TokenLists | None


class ChatReply(BaseModel):
    """The whole answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: UsageReply
    prompt: list[EchoedPrompt] = []


class ChunkChoice(BaseModel):
    """One step of one of the n answers. Together's form of `logprobs` in a stream is a number."""

    index: int
    delta: Message | CallingStep | OldCallingMessage | ThinkingStep
    finish_reason: str | None
    logprobs: TokenObjects | float | None


class ChatChunk(BaseModel):
    """One step of the answer."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: UsageReply | None = None
