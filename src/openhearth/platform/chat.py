"""`POST /v1/chat/completions`: messages in, the assistant's answer out, whole or as chunks.

Every chunk's delta has a role, because Together's type requires one. Usage goes out as a chunk of
its own only if `stream_options.include_usage` asks for it, else on the last choice's last chunk:
some clients fail on chunks without choices, and Together's has no way to ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from pydantic import BaseModel, Field

from openhearth.inference.answer import Answer
from openhearth.inference.request import BadConstraint, Delta, Request, TokenLogprob
from openhearth.platform.connection import while_connected
from openhearth.platform.errors import bad_request
from openhearth.platform.generation import Generation, begin
from openhearth.platform.logprobs import (
    TokenLists,
    TokenObjects,
    finite,
    token_lists,
    token_objects,
)
from openhearth.platform.messages import InputMessage
from openhearth.platform.parameters import Alternatives, GenerationParameters
from openhearth.platform.replies import EchoedPrompt, UsageReply, head
from openhearth.platform.sse import EventStream
from openhearth.platform.tools import CallDelta, CalledTool, ToolParameters, ToolUse, steps, whole

if TYPE_CHECKING:
    from openhearth.inference import Engine


class ChatRequest(ToolParameters, GenerationParameters):
    """The body of a request. `logprobs` is a boolean for OpenAI, a number for Together."""

    messages: Annotated[list[InputMessage], Field(min_length=1, max_length=4096)]
    max_completion_tokens: int | None = None
    logprobs: bool | Alternatives | None = None
    top_logprobs: Alternatives | None = None

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
    content: str | None
    refusal: None = None


class CallingMessage(Message):
    """A turn that calls tools."""

    tool_calls: Sequence[CalledTool]


class CallingStep(Message):
    """A part of a turn that goes on with a call."""

    tool_calls: Sequence[CallDelta]


class ChatChoice(BaseModel):
    """One of the n answers."""

    index: int
    message: Message | CallingMessage
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
    delta: Message | CallingStep
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


def _choice(body: ChatRequest, index: int, answer: Answer, asked: Asked) -> ChatChoice:
    message, reason = Message(content=answer.text), answer.finish_reason
    if asked.tools:
        delta = Delta(answer.text, finish_reason=reason)
        delta, calls = asked.tools.reader().read(delta)
        message, reason = _message(delta.text, whole(calls)), delta.finish_reason
    return ChatChoice(
        index=index,
        message=message,
        finish_reason=reason,
        logprobs=_whole_logprobs(body, answer.logprobs),
    )


def _message(text: str, calls: Sequence[CalledTool]) -> Message:
    if not calls:
        return Message(content=text)
    return CallingMessage(content=text if text.strip() else None, tool_calls=calls)


def _step(body: ChatRequest, index: int, delta: Delta, call: CallDelta | None) -> ChunkChoice:
    message = Message(content=delta.text)
    return ChunkChoice(
        index=index,
        delta=CallingStep(content=None, tool_calls=[call]) if call else message,
        finish_reason=delta.finish_reason,
        logprobs=_step_logprobs(body, delta),
    )


async def _chunks(
    body: ChatRequest, asked: Asked, generation: Generation, chunk: partial[ChatChunk]
) -> AsyncGenerator[ChatChunk]:
    readers = [asked.tools.reader() for _ in asked.requests] if asked.tools else []
    async with aclosing(generation.deltas()) as deltas:
        async for index, delta in deltas:
            said, calls = readers[index].read(delta) if readers else (delta, [])
            for step, call in steps(said, calls):
                last = step.finish_reason and generation.finished and not body.include_usage
                usage = UsageReply.of(generation.usage, generation.timings) if last else None
                yield chunk(choices=[_step(body, index, step, call)], usage=usage)
    if body.include_usage:
        yield chunk(choices=[], usage=UsageReply.of(generation.usage, generation.timings))


@dataclass(frozen=True)
class Asked:
    """The rendered conversation, what to ask of the engine, and how answers may call tools."""

    text: str
    requests: list[Request]
    tools: ToolUse | None


def _prepare(engine: Engine, body: ChatRequest, caller: str) -> Asked:
    body.refuse_unserved()
    tokenizer = engine.tokenizer(body.model)
    tools = ToolUse.of(body, tokenizer, body.constraint())
    most = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    samplings = body.samplings(
        max_tokens=most,
        logprobs=body.alternatives,
        constraint=tools.constraint if tools else body.constraint(),
        skip_special_tokens=tools is None,
    )
    text = tokenizer.chat(
        [message.for_template() for message in body.messages],
        add_generation_prompt=True,
        tools=tools.offered if tools else None,
    )
    tokens = tokenizer.encode(text)
    requests = [
        Request(body.model, tokens, sampling, body.engine_priority, caller)
        for sampling in samplings
    ]
    return Asked(text, requests, tools)


async def _begin(engine: Engine, asked: Asked) -> Generation:
    try:
        return await begin(engine, asked.requests, len(asked.requests))
    except BadConstraint as error:
        if not asked.tools:
            raise
        raise bad_request(str(error), "tools", "invalid_function_parameters") from error


def router(engine: Engine) -> APIRouter:
    """The route over this engine."""
    routes = APIRouter()

    @routes.post("/v1/chat/completions", response_model=None)
    async def create_chat_completion(
        body: ChatRequest, http: HttpRequest
    ) -> ChatReply | EventStream:
        # In a thread: rendering and tokenising a long conversation takes milliseconds.
        asked = await asyncio.to_thread(_prepare, engine, body, http.state.caller)
        generation = await _begin(engine, asked)
        fields = head("chatcmpl", body.model)
        if body.stream:
            chunks = _chunks(body, asked, generation, partial(ChatChunk, **fields))
            return EventStream(chunks, generation)
        with generation:
            answers = await while_connected(http.receive, generation.answers())
        return ChatReply(
            **fields,
            choices=[_choice(body, index, answer, asked) for index, answer in enumerate(answers)],
            usage=UsageReply.of(generation.usage, generation.timings),
            prompt=[EchoedPrompt(text=asked.text)] if body.echo else [],
        )

    return routes
