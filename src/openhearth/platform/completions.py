"""`POST /v1/completions`: raw prompts in, their continuations out, whole or as chunks.

A prompt is text or token ids, or a list of either. The answer to prompt p and choice c has the
index p * n + c. Chunks carry both clients' fields: OpenAI reads `choices[].text`, Together also
the `token`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Literal, cast

from fastapi import APIRouter, Response
from fastapi import Request as HttpRequest
from pydantic import BaseModel, ConfigDict, Field

from openhearth.inference.answer import Answer
from openhearth.inference.request import Delta, Request, TokenLogprob
from openhearth.platform.connection import while_connected
from openhearth.platform.errors import bad_request
from openhearth.platform.generation import Generation, begin
from openhearth.platform.logprobs import TokenLists, finite, token_lists
from openhearth.platform.metering import FREE, Meter
from openhearth.platform.models import find_card, tokenizer_of
from openhearth.platform.openapi import answers
from openhearth.platform.parameters import MAX_CHOICES, Alternatives, GenerationParameters
from openhearth.platform.preparing import Preparing
from openhearth.platform.replies import EchoedPrompt, UsageReply, charged, first_headers, head
from openhearth.platform.sse import EventStream
from openhearth.platform.tenant import tenant_of

if TYPE_CHECKING:
    from openhearth.data import Tokenizer
    from openhearth.inference import Engine

MAX_PROMPTS = 64
MAX_GENERATIONS = 128  # prompts times choices
TokenId = Annotated[int, Field(ge=0, lt=2**31)]
Tokens = Annotated[list[TokenId], Field(min_length=1)]


class CompletionRequest(GenerationParameters):
    """The body of a request. `logprobs` is the number of alternatives to report per token;
    `return_token_ids`, a word of vLLM's, asks for the tokens themselves beside the text, and
    `skip_special_tokens: false`, another, for special tokens within it. Of `best_of` answers to a
    prompt the n likeliest are given back.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": "smollm2-135m", "prompt": "Once upon a time", "max_tokens": 16}]
        }
    )

    prompt: (
        str
        | Tokens
        | Annotated[list[str], Field(min_length=1, max_length=MAX_PROMPTS)]
        | Annotated[list[Tokens], Field(min_length=1, max_length=MAX_PROMPTS)]
    )
    logprobs: Alternatives | None = None
    best_of: int | None = Field(None, ge=1, le=MAX_CHOICES)
    return_token_ids: bool | None = None
    skip_special_tokens: bool | None = None

    @property
    def drawn(self) -> int:
        """How many answers to each prompt are written.

        Raises:
            ApiError: 400, fewer than are wanted, or they cannot be compared before they are sent.
        """
        drawn = self.best_of or self.choices
        if drawn < self.choices:
            raise bad_request("best_of is less than n: draw as many as you want back.", "best_of")
        if drawn > self.choices and self.stream:
            raise bad_request("best_of above n cannot be streamed: leave out stream.", "best_of")
        return drawn


class CompletionChoice(BaseModel):
    """One continuation, or a step of it."""

    index: int
    text: str
    finish_reason: str | None
    logprobs: TokenLists | None
    token_ids: list[int] | None = None


class CompletionReply(BaseModel):
    """All continuations."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: UsageReply
    prompt: list[EchoedPrompt] = []


class TokenReply(BaseModel):
    """The token of a step; its log-probability is known only if `logprobs` asked for it."""

    id: int
    text: str
    logprob: float | None
    special: bool = False


class CompletionChunk(BaseModel):
    """One step of one continuation."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    token: TokenReply | None = None
    usage: UsageReply | None = None


@dataclass(frozen=True)
class Prompt:
    """A prompt as the model reads it and as `echo` gives it back."""

    tokens: Sequence[int]
    text: str = ""


def _prompts(tokenizer: Tokenizer, body: CompletionRequest) -> list[Prompt]:
    given = body.prompt
    alone = isinstance(given, str) or isinstance(given[0], int)
    several = cast("list[str | list[int]]", [given] if alone else given)
    prompts = []
    for one in several:
        tokens = tokenizer.encode(one) if isinstance(one, str) else one
        if not tokens:
            raise bad_request("The prompt is empty: give the model a text to continue.", "prompt")
        text = one if isinstance(one, str) else tokenizer.decode(one)
        prompts.append(Prompt(tokens, text if body.echo else ""))
    return prompts


def _prepare(
    engine: Engine, body: CompletionRequest, tenant: str
) -> tuple[list[Prompt], list[Request]]:
    """The prompts, and what to ask of the engine: n requests for each."""
    body.refuse_unserved()
    if body.echo and body.logprobs is not None:
        raise bad_request(
            "echo with logprobs is not supported: no log-probabilities of prompts are computed.",
            "echo",
        )
    constraint = body.constraint()
    prompts = _prompts(tokenizer_of(engine, body.model, tenant), body)
    if len(prompts) * body.drawn > MAX_GENERATIONS:
        raise bad_request(f"Prompts times n is over {MAX_GENERATIONS}: send fewer at once.", "n")
    card = find_card(engine, body.model)
    return prompts, [
        Request(body.model, prompt.tokens, sampling, body.engine_priority, tenant)
        for prompt in prompts
        for sampling in body.samplings(
            max_tokens=body.most_tokens(body.max_tokens, card, len(prompt.tokens)),
            logprobs=0 if body.drawn > body.choices and body.logprobs is None else body.logprobs,
            choices=body.drawn,
            constraint=constraint,
            skip_special_tokens=body.skip_special_tokens is not False,
        )
    ]


def likeliest(body: CompletionRequest, answers: list[Answer]) -> list[Answer]:
    """The n best of the answers to each prompt, by the mean log-probability of their tokens."""
    if body.drawn == body.choices:
        return answers
    each = range(0, len(answers), body.drawn)
    ranked = [sorted(answers[i : i + body.drawn], key=_mean_logprob, reverse=True) for i in each]
    return [answer for best in ranked for answer in best[: body.choices]]


def _mean_logprob(answer: Answer) -> float:
    return fmean(token.logprob for token in answer.logprobs) if answer.logprobs else -math.inf


def _logprobs(
    body: CompletionRequest, tokens: Sequence[TokenLogprob], offset: int = 0
) -> TokenLists | None:
    return None if body.logprobs is None else token_lists(tokens, offset)


async def _chunks(
    body: CompletionRequest,
    prompts: list[Prompt],
    generation: Generation,
    chunk: partial[CompletionChunk],
) -> AsyncGenerator[CompletionChunk]:
    written = [0] * (len(prompts) * body.choices)  # characters of each choice's tokens so far
    if body.echo:
        for index in range(len(written)):
            yield chunk(choices=[_step(body, index, Delta(prompts[index // body.choices].text), 0)])
    async with aclosing(generation.deltas()) as deltas:
        async for index, delta in deltas:
            ids = body.return_token_ids and delta.tokens
            if delta.text or delta.logprobs or delta.finish_reason or ids:
                last = generation.finished and not body.include_usage
                yield chunk(
                    choices=[_step(body, index, delta, written[index])],
                    token=_token(delta),
                    usage=UsageReply.of(generation) if last else None,
                )
            written[index] += sum(len(token.text) for token in delta.logprobs)
    if body.include_usage:
        yield chunk(choices=[], usage=UsageReply.of(generation))


def _step(body: CompletionRequest, index: int, delta: Delta, offset: int) -> CompletionChoice:
    return CompletionChoice(
        index=index,
        text=delta.text,
        finish_reason=delta.finish_reason,
        logprobs=_logprobs(body, delta.logprobs, offset),
        token_ids=list(delta.tokens) if body.return_token_ids else None,
    )


def _token(delta: Delta) -> TokenReply | None:
    if not delta.tokens:
        return None
    logprob = delta.logprobs[-1].logprob if delta.logprobs else None
    return TokenReply(
        id=delta.tokens[-1],
        text=delta.text,
        logprob=None if logprob is None else finite(logprob),
    )


def _choice(
    body: CompletionRequest, index: int, prompts: list[Prompt], answer: Answer
) -> CompletionChoice:
    return CompletionChoice(
        index=index,
        text=prompts[index // body.choices].text + answer.text,
        finish_reason=answer.finish_reason,
        logprobs=_logprobs(body, answer.logprobs),
        token_ids=answer.tokens if body.return_token_ids else None,
    )


def router(engine: Engine, meter: Meter = FREE) -> APIRouter:
    """The route over this engine, charged for by this meter."""
    routes = APIRouter(tags=["completions"])
    answer, prepared = answers(CompletionReply, CompletionChunk), Preparing()

    @routes.post("/v1/completions", response_model=None, responses=answer)
    async def create_completion(body: CompletionRequest, http: HttpRequest) -> Response:
        work = partial(_prepare, engine, body, tenant_of(http))
        prompts, requests = await prepared(http, body.model, work)
        generation = await begin(engine, requests, body.drawn, meter.tab(http))
        fields = head("cmpl", body.model)
        if body.stream:
            chunks = _chunks(body, prompts, generation, partial(CompletionChunk, **fields))
            return EventStream(chunks, generation, headers=partial(first_headers, generation))
        async with generation:
            answers = await while_connected(http.receive, generation.answers())
        answers = likeliest(body, answers)
        reply = CompletionReply(
            **fields,
            choices=[_choice(body, i, prompts, answer) for i, answer in enumerate(answers)],
            usage=UsageReply.of(generation),
            prompt=[EchoedPrompt(text=prompt.text) for prompt in prompts] if body.echo else [],
        )
        return charged(reply, generation)

    return routes
