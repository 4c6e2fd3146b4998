"""`POST /v1/chat/completions`: messages in, the assistant's answer out, whole or as chunks.

Every chunk's delta has a role, because Together's type requires one. Usage goes out as a chunk of
its own only if `stream_options.include_usage` asks for it, else on the last choice's last chunk:
some clients fail on chunks without choices, and Together's has no way to ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from pydantic import BaseModel, ConfigDict, Field

from openhearth.inference.answer import Answer
from openhearth.inference.request import Delta, Request, TokenLogprob
from openhearth.platform.connection import while_connected
from openhearth.platform.errors import bad_request
from openhearth.platform.generation import Generation
from openhearth.platform.logprobs import (
    TokenLists,
    TokenObjects,
    finite,
    token_lists,
    token_objects,
)
from openhearth.platform.parameters import GenerationParameters
from openhearth.platform.replies import EchoedPrompt, UsageReply, head
from openhearth.platform.sse import EventStream

if TYPE_CHECKING:
    from openhearth.inference import Engine


class TextPart(BaseModel):
    """A piece of a message; only text is understood."""

    model_config = ConfigDict(strict=True)

    type: Literal["text"]
    text: str


class InputMessage(BaseModel):
    """One turn of the conversation."""

    model_config = ConfigDict(strict=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def for_template(self) -> dict[str, str]:
        """The turn as chat templates know it: they call a developer the system."""
        parts = self.content
        text = parts if isinstance(parts, str) else "".join(part.text for part in parts)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class ChatRequest(GenerationParameters):
    """The body of a request. `logprobs` is a boolean for OpenAI, a number for Together."""

    messages: Annotated[list[InputMessage], Field(min_length=1, max_length=4096)]
    max_completion_tokens: int | None = None
    logprobs: bool | int | None = None
    top_logprobs: int | None = None

    @property
    def alternatives(self) -> int | None:
        """How many alternatives to report for each token; None for no log-probabilities."""
        if self.logprobs is None or self.logprobs is False:
            if self.top_logprobs:
                raise bad_request("top_logprobs needs logprobs to be true.", "top_logprobs")
            return None
        return (self.top_logprobs or 0) if self.logprobs is True else self.logprobs


class Message(BaseModel):
    """The assistant's turn, or a part of it."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChatChoice(BaseModel):
    """One of the n answers."""

    index: int
    message: Message
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
    delta: Message
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


def _whole_logprobs(
    body: ChatRequest, tokens: Sequence[TokenLogprob]
) -> TokenObjects | TokenLists | None:
    if body.alternatives is None:
        return None
    return token_objects(tokens) if body.logprobs is True else token_lists(tokens)


def _step_logprobs(body: ChatRequest, delta: Delta) -> TokenObjects | float | None:
    if body.alternatives is None or not delta.logprobs:
        return None
    if body.logprobs is True:
        return token_objects(delta.logprobs)
    return finite(delta.logprobs[-1].logprob)


def _choice(body: ChatRequest, index: int, answer: Answer) -> ChatChoice:
    return ChatChoice(
        index=index,
        message=Message(content=answer.text),
        finish_reason=answer.finish_reason,
        logprobs=_whole_logprobs(body, answer.logprobs),
    )


def _step(body: ChatRequest, index: int, delta: Delta) -> ChunkChoice:
    return ChunkChoice(
        index=index,
        delta=Message(content=delta.text),
        finish_reason=delta.finish_reason,
        logprobs=_step_logprobs(body, delta),
    )


async def _chunks(
    body: ChatRequest, generation: Generation, chunk: partial[ChatChunk]
) -> AsyncGenerator[ChatChunk]:
    async with aclosing(generation.deltas()) as deltas:
        async for index, delta in deltas:
            if delta.text or delta.logprobs or delta.finish_reason:
                last = generation.finished and not body.include_usage
                usage = UsageReply.of(generation.usage, generation.timings) if last else None
                yield chunk(choices=[_step(body, index, delta)], usage=usage)
    if body.include_usage:
        yield chunk(choices=[], usage=UsageReply.of(generation.usage, generation.timings))


def _prepare(engine: Engine, body: ChatRequest, caller: str) -> tuple[str, list[Request]]:
    """The rendered conversation, and what to ask of the engine."""
    body.refuse_unserved()
    asked = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    samplings = body.samplings(max_tokens=asked, logprobs=body.alternatives)
    tokenizer = engine.tokenizer(body.model)
    text = tokenizer.chat(
        [message.for_template() for message in body.messages], add_generation_prompt=True
    )
    tokens = tokenizer.encode(text)
    return text, [Request(body.model, tokens, sampling, tenant=caller) for sampling in samplings]


def router(engine: Engine) -> APIRouter:
    """The route over this engine."""
    routes = APIRouter()

    @routes.post("/v1/chat/completions", response_model=None)
    async def create_chat_completion(
        body: ChatRequest, http: HttpRequest
    ) -> ChatReply | EventStream:
        # In a thread: rendering and tokenising a long conversation takes milliseconds.
        text, requests = await asyncio.to_thread(_prepare, engine, body, http.state.caller)
        generation = Generation(engine, requests, body.choices)
        fields = head("chatcmpl", body.model)
        if body.stream:
            return EventStream(_chunks(body, generation, partial(ChatChunk, **fields)), generation)
        with generation:
            answers = await while_connected(http.receive, generation.answers())
        return ChatReply(
            **fields,
            choices=[_choice(body, index, answer) for index, answer in enumerate(answers)],
            usage=UsageReply.of(generation.usage, generation.timings),
            prompt=[EchoedPrompt(text=text)] if body.echo else [],
        )

    return routes
