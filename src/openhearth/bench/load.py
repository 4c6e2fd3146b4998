"""Requests against an OpenAI-compatible server, and when each of their tokens arrived.

Open loop: requests go out at times fixed beforehand, whether or not earlier ones have been
answered, and waiting counts from the scheduled instant, so that a slow server cannot slow down the
clock that measures it (no coordinated omission). Fixed concurrency is the other mode: N callers,
each sending its next request when the last one has ended.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

TIMEOUT = 300.0  # seconds without a byte
Messages = list[dict[str, str]]
Seen = Callable[[int], None]


@dataclass
class Record:
    """One request. Times are seconds on one clock; `arrivals` are those of chunks with text."""

    scheduled: float
    sent: float = 0.0
    arrivals: list[float] = field(default_factory=list)
    ended: float = 0.0
    text: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str | None = None


@dataclass(frozen=True)
class Target:
    """A server: its URL without `/v1`, a key, and the model to ask for."""

    url: str
    key: str
    model: str
    max_tokens: int = 64
    temperature: float = 0.0
    ignore: tuple[int, ...] = ()  # token ids never to be chosen, such as the end of an answer


def poisson(rate: float, count: int, seed: int = 0) -> list[float]:
    """Send times in seconds: exponential gaps with `rate` requests a second on average."""
    gaps = np.random.default_rng(seed).exponential(1 / rate, count)
    return [0.0, *np.cumsum(gaps)[:-1].tolist()]


async def open_loop(
    target: Target, prompts: Sequence[Messages], times: Sequence[float], seen: Seen = lambda _: None
) -> list[Record]:
    """Send prompt i at `times[i]` seconds from now, whatever became of the others."""
    async with _client() as client:
        start = time.perf_counter()

        async def one(messages: Messages, offset: float) -> Record:
            record = Record(scheduled=start + offset)
            await asyncio.sleep(max(0.0, record.scheduled - time.perf_counter()))
            return await _ask(client, target, messages, record)

        tasks = [asyncio.create_task(one(p, t)) for p, t in zip(prompts, times, strict=True)]
        return await _gather(tasks, seen)


async def fixed_concurrency(
    target: Target, prompts: Sequence[Messages], callers: int, seen: Seen = lambda _: None
) -> list[Record]:
    """Keep `callers` requests under way until all prompts are answered."""
    waiting = iter(prompts)
    records: list[Record] = []
    async with _client() as client:

        async def caller() -> None:
            for messages in waiting:
                record = Record(scheduled=time.perf_counter())
                records.append(await _ask(client, target, messages, record))
                seen(len(records))

        await asyncio.gather(*(caller() for _ in range(callers)))
    return records


def _client() -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(timeout=TIMEOUT, limits=limits, trust_env=False)


async def _gather(tasks: Sequence[asyncio.Task[Record]], seen: Seen) -> list[Record]:
    try:
        for count, task in enumerate(asyncio.as_completed(tasks), 1):
            await task
            seen(count)
    finally:
        for task in tasks:
            task.cancel()
    return [task.result() for task in tasks]


async def _ask(
    client: httpx.AsyncClient, target: Target, messages: Messages, record: Record
) -> Record:
    body = {
        "model": target.model,
        "messages": messages,
        "max_tokens": target.max_tokens,
        "temperature": target.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if target.ignore:
        body["logit_bias"] = {str(token): -100 for token in target.ignore}
    headers = {"Authorization": f"Bearer {target.key}"}
    url = f"{target.url.rstrip('/')}/v1/chat/completions"
    record.sent = time.perf_counter()
    try:
        async with client.stream("POST", url, json=body, headers=headers) as response:
            if response.status_code != 200:
                await response.aread()
                record.error = f"HTTP {response.status_code}"
            async for event in _events(response):
                _take(event, record)
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        record.error = type(error).__name__
    record.ended = time.perf_counter()
    if record.error is None and not record.completion_tokens:
        record.error = "no usage"
    return record


async def _events(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """The data of the server-sent events until `[DONE]`."""
    async for line in response.aiter_lines():
        if line.startswith("data:"):
            data = line.removeprefix("data:").strip()
            if data == "[DONE]":
                return
            yield json.loads(data)


def _take(event: dict[str, Any], record: Record) -> None:
    if usage := event.get("usage"):
        record.prompt_tokens = usage["prompt_tokens"]
        record.completion_tokens = usage["completion_tokens"]
    if "error" in event:
        record.error = "error in the stream"
    text = "".join(choice["delta"].get("content") or "" for choice in event.get("choices", ()))
    if text:
        record.text += text
        record.arrivals.append(time.perf_counter())
