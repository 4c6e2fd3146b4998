"""`POST /v1/chat/completions`: messages in, the assistant's answer out, whole or as chunks.

Usage goes out as a chunk of its own only if `stream_options.include_usage` asks for it, else on the
last choice's last chunk: some clients fail on chunks without choices, and Together's has no way to
ask.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Response
from fastapi import Request as HttpRequest
from pydantic import ConfigDict, Field

from openhearth.inference.answer import Answer
from openhearth.inference.request import BadConstraint, Delta, Request, TokenLogprob
from openhearth.platform.chat_replies import (
    CallingMessage,
    CallingStep,
    ChatChoice,
    ChatChunk,
    ChatReply,
    ChunkChoice,
    Message,
    OldCallingMessage,
    ThinkingMessage,
    ThinkingStep,
)
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
from openhearth.platform.metering import FREE, Meter, Tab
from openhearth.platform.models import find_card, tokenizer_of
from openhearth.platform.old_tools import OldToolParameters, old_reason
from openhearth.platform.openapi import answers
from openhearth.platform.parameters import Alternatives, GenerationParameters, room_after
from openhearth.platform.preparing import Preparing
from openhearth.platform.reading import Reader, Step
from openhearth.platform.replies import EchoedPrompt, UsageReply, charged, first_headers, head
from openhearth.platform.sse import EventStream
from openhearth.platform.tenant import tenant_of
from openhearth.platform.thoughts import begins_inside
from openhearth.platform.tools import CallDelta, ToolUse, steps, whole

if TYPE_CHECKING:
    from openhearth.inference import Engine


class ChatRequest(OldToolParameters, GenerationParameters):
    """The body of a request. `logprobs` is a boolean for OpenAI, a number for Together."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "smollm2-135m",
                    "messages": [{"role": "user", "content": "Name a colour."}],
                    "max_tokens": 16,
                }
            ]
        }
    )

    messages: Annotated[list[InputMessage], Field(min_length=1, max_length=4096)]
    max_completion_tokens: int | None = None
    logprobs: bool | Alternatives | None = None
    top_logprobs: Alternatives | None = None
    chat_template_kwargs: Annotated[dict[str, Any], Field(max_length=64)] | None = None

    @property
    def alternatives(self) -> int | None:
        """How many alternatives to report for each token; None for no log-probabilities."""
        if self.logprobs is None or self.logprobs is False:
            if self.top_logprobs:
                raise bad_request("top_logprobs needs logprobs to be true.", "top_logprobs")
            return None
        return (self.top_logprobs or 0) if self.logprobs is True else self.logprobs


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
    step = asked.reader().read(Delta(answer.text, finish_reason=answer.finish_reason))
    reason = step.said.finish_reason
    return ChatChoice(
        index=index,
        message=_message(body, step),
        finish_reason=old_reason(reason) if body.functions else reason,
        logprobs=_whole_logprobs(body, answer.logprobs),
    )


def _message(body: ChatRequest, step: Step) -> Message:
    text, calls = step.said.text, whole(step.calls)
    content = text if text.strip() or not calls else None
    old = calls[0].function if calls and body.functions else None
    if step.thought:
        return ThinkingMessage(
            content=content,
            reasoning_content=step.thought,
            reasoning=step.thought,
            tool_calls=None if old else calls or None,
            function_call=old,
        )
    if old:
        return OldCallingMessage(content=content, function_call=old)
    return CallingMessage(content=content, tool_calls=calls) if calls else Message(content=content)


def _step(body: ChatRequest, index: int, delta: Delta, call: CallDelta | None) -> ChunkChoice:
    reason = delta.finish_reason
    return ChunkChoice(
        index=index,
        delta=_calling(body, call) if call else Message(content=delta.text),
        finish_reason=old_reason(reason) if body.functions else reason,
        logprobs=_step_logprobs(body, delta),
    )


def _thought(index: int, thought: str) -> ChunkChoice:
    delta = ThinkingStep(content=None, reasoning_content=thought, reasoning=thought)
    return ChunkChoice(index=index, delta=delta, finish_reason=None, logprobs=None)


def _calling(body: ChatRequest, call: CallDelta) -> Message:
    if body.functions:
        return OldCallingMessage(content=None, function_call=call.function)
    return CallingStep(content=None, tool_calls=[call])


async def _chunks(
    body: ChatRequest, asked: Asked, generation: Generation, chunk: partial[ChatChunk]
) -> AsyncGenerator[ChatChunk]:
    readers = [asked.reader() for _ in asked.requests]
    async with aclosing(generation.deltas()) as deltas:
        async for index, delta in deltas:
            read = readers[index].read(delta)
            if read.thought:
                yield chunk(choices=[_thought(index, read.thought)])
            for step, call in steps(read.said, read.calls):
                last = step.finish_reason and generation.finished and not body.include_usage
                usage = UsageReply.of(generation) if last else None
                yield chunk(choices=[_step(body, index, step, call)], usage=usage)
    if body.include_usage:
        yield chunk(choices=[], usage=UsageReply.of(generation))


@dataclass(frozen=True)
class Asked:
    """The rendered conversation, what to ask of the engine, how answers may call tools, and whether
    they begin within a thought; None if they have none.
    """

    text: str
    requests: list[Request]
    tools: ToolUse | None
    inside: bool | None

    def reader(self) -> Reader:
        """For one answer."""
        return Reader(self.tools, self.inside)


def prepare(engine: Engine, body: ChatRequest, tenant: str) -> Asked:
    """Render the conversation. It takes milliseconds if that is long.

    Raises:
        ApiError: 400, a field makes no sense or is not served.
        NotFound: the model is not served.
    """
    body.refuse_unserved()
    tokenizer = tokenizer_of(engine, body.model, tenant)
    tools = ToolUse.of(body.in_new_form(), tokenizer, body.constraint())
    text = tokenizer.chat(
        [message.for_template() for message in body.messages],
        add_generation_prompt=True,
        tools=tools.offered if tools else None,
        variables=body.chat_template_kwargs,
    )
    tokens = tokenizer.encode(text)
    constraint = tools.constraint if tools else body.constraint()
    samplings = body.samplings(
        max_tokens=_most(engine, body, len(tokens)),
        logprobs=body.alternatives,
        choices=body.choices,
        constraint=constraint,
        skip_special_tokens=tools is None,
    )
    requests = [
        Request(body.model, tokens, sampling, body.engine_priority, tenant)
        for sampling in samplings
    ]
    # What must have a form from its first token on has no thoughts.
    inside = None if constraint else begins_inside(tokenizer.chat_template, text)
    return Asked(text, requests, tools, inside)


def _most(engine: Engine, body: ChatRequest, prompt: int) -> int | None:
    """How long an answer may be: without a word about that, to the end of the context."""
    asked = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    card = find_card(engine, body.model)
    if asked is None and card is not None:
        return room_after(card, prompt)
    return body.most_tokens(asked, card, prompt)


async def start(engine: Engine, asked: Asked, tab: Tab) -> Generation:
    """Begin to answer; the caller sees to the end.

    Raises:
        ApiError: 400, the tools cannot be called as it is asked for; 402, nobody pays for it.
        HearthError: what `Generation` raises.
    """
    try:
        return await begin(engine, asked.requests, len(asked.requests), tab)
    except BadConstraint as error:
        if not asked.tools:
            raise
        raise bad_request(str(error), "tools", "invalid_function_parameters") from error


def router(engine: Engine, meter: Meter = FREE) -> APIRouter:
    """The route over this engine, charged for by this meter."""
    routes = APIRouter(tags=["chat"])
    answer, prepared = answers(ChatReply, ChatChunk), Preparing()

    @routes.post("/v1/chat/completions", response_model=None, responses=answer)
    async def create_chat_completion(body: ChatRequest, http: HttpRequest) -> Response:
        work = partial(prepare, engine, body, tenant_of(http))
        asked = await prepared(http, body.model, work)
        generation = await start(engine, asked, meter.tab(http))
        fields = head("chatcmpl", body.model)
        if body.stream:
            chunks = _chunks(body, asked, generation, partial(ChatChunk, **fields))
            return EventStream(chunks, generation, headers=partial(first_headers, generation))
        async with generation:
            answers = await while_connected(http.receive, generation.answers())
        reply = ChatReply(
            **fields,
            choices=[_choice(body, index, answer, asked) for index, answer in enumerate(answers)],
            usage=UsageReply.of(generation),
            prompt=[EchoedPrompt(text=asked.text)] if body.echo else [],
        )
        return charged(reply, generation)

    return routes
