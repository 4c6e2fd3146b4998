"""How many streams the load generator of `hearth bench` takes, and how exactly it sends.

Against a stub that answers at once, on the other of two cores: ours, and clients that others
build on, aiohttp and httpx, each of which does the same: sends a request at its time, notes when
each event came, and reads it. They read as they go; ours reads after the load, told apart. How
late a request is sent is what a measurement must not be wrong by: the protocol allows 2 ms at the
99th percentile. `--short` is for a look.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import httpx
import numpy as np
import uvloop
from _results import Row, write

from openhearth.bench.load import Target, carry_out, due_times
from openhearth.bench.recipe import Poisson
from openhearth.bench.records import Ask
from openhearth.bench.stub import Times, Truth, stub

WORDS = 16  # an event each
CALLERS = 64
GOAL_PER_S, GOAL_MS = 5000.0, 2.0
APART = Times(median_s=0.005, sigma=0.5)  # between events, so that they come one by one
RATES = {100: APART, 1000: APART, 5000: Times()}  # at the last a stub could not keep them apart
BODY = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": WORDS}
One = Callable[[str], Awaitable[int]]  # the events of a stream


@dataclass(frozen=True)
class Sending:
    """What came of a load: streams a second, and how late each was sent, in seconds."""

    rate: float
    late: Sequence[float]

    def late_ms(self, share: float) -> float:
        return 1e3 * float(np.quantile(self.late, share))


def ours(url: str, times: Sequence[float], callers: int | None) -> Sending:
    """By `openhearth.bench.load`."""
    asks = [Ask(n, "chat", "chat/completions", BODY, at) for n, at in enumerate(times)]
    begun = time.process_time()
    sent = carry_out(Target(url, "stub"), asks, callers=callers)
    spent = 1e6 * (time.process_time() - begun) / len(asks)
    failed = [record.detail for record in sent.records if record.failure]
    assert not failed, failed[:3]
    took = max(record.ended or 0 for record in sent.records)
    print(
        f"    ours: {spent:.0f} us of a core a stream, reading it afterwards included", flush=True
    )
    return Sending(len(asks) / took, sent.lateness_s)


@contextmanager
def undisturbed() -> Iterator[None]:
    """The peers too are spared the collector."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def peer(name: str, url: str, times: Sequence[float], callers: int | None) -> Sending:
    """By aiohttp or httpx, on uvloop."""
    with undisturbed(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run({"aiohttp": _by_aiohttp, "httpx": _by_httpx}[name](url, times, callers))


async def _by_aiohttp(url: str, times: Sequence[float], callers: int | None) -> Sending:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one() -> int:
            async with session.post(f"{url}/v1/chat/completions", json=_body()) as response:
                return len(
                    [_event(line) async for line in response.content if line[:5] == b"data:"]
                )

        return await _load(one, times, callers)


async def _by_httpx(url: str, times: Sequence[float], callers: int | None) -> Sending:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:

        async def one() -> int:
            async with client.stream(
                "POST", f"{url}/v1/chat/completions", json=_body()
            ) as response:
                lines = response.aiter_lines()
                return len([_event(line.encode()) async for line in lines if line[:5] == "data:"])

        return await _load(one, times, callers)


def _body() -> dict[str, Any]:
    return BODY | {"model": "stub", "stream": True, "stream_options": {"include_usage": True}}


def _event(line: bytes) -> tuple[float, Any]:
    data = line[5:].strip()
    return time.monotonic(), None if data == b"[DONE]" else json.loads(data)


async def _load(
    one: Callable[[], Awaitable[int]], times: Sequence[float], callers: int | None
) -> Sending:
    """Open, or by so many callers."""
    start, late = time.monotonic() + 0.05, []
    waiting = iter(times)

    async def at(due: float) -> None:
        await asyncio.sleep(max(0.0, start + due - time.monotonic()))
        late.append(time.monotonic() - start - due)
        assert await one() > WORDS

    async def caller() -> None:
        for _ in waiting:
            assert await one() > WORDS

    if callers is None:
        await asyncio.gather(*(at(due) for due in times))
    else:
        await asyncio.gather(*(caller() for _ in range(callers)))
    return Sending(len(times) / (time.monotonic() - start), late)


@contextmanager
def apart(truth: Truth) -> Iterator[str]:
    """The stub on the last core, and this process on the first."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    with stub(truth) as url:
        os.sched_setaffinity(0, cores[:1])
        yield url
    os.sched_setaffinity(0, cores)


def throughput(streams: int, rounds: int) -> list[Row]:
    """Streams a second of callers that ask again at once; a peer has a fifth of them to send."""
    sides = {
        "ours": (ours, streams),
        "aiohttp": (partial(peer, "aiohttp"), streams // 5),
        "httpx": (partial(peer, "httpx"), streams // 20),
    }
    rates: dict[str, list[float]] = {name: [] for name in sides}
    with apart(Truth(canned=WORDS)) as url:
        for _ in range(rounds):
            for name, (send, count) in sides.items():
                rates[name].append(send(url, [0.0] * count, CALLERS).rate)
    for name, found in rates.items():
        print(f"  {name}: {min(found):.0f} to {max(found):.0f} streams/s", flush=True)
    best, *others = (statistics.median(found) for found in rates.values())
    work = f"streams of {WORDS} events, one core"
    rows = [Row(work, "/s", best, GOAL_PER_S, "the goal", 1.0)]
    return rows + [
        Row(work, "/s", best, other, name, 1.0)
        for name, other in zip(("aiohttp", "httpx"), others, strict=True)
    ]


def exactness(seconds: float) -> list[Row]:
    """How late requests of a Poisson process are sent while answers come."""
    rows = []
    for rate, gap in RATES.items():
        times = due_times(Poisson(rate=rate), seconds, 1, np.random.default_rng(rate))
        with apart(Truth(canned=WORDS, gap=gap)) as url:
            mine = ours(url, times, None)
            others = {"aiohttp": peer("aiohttp", url, times, None)} if rate <= 1000 else {}
        for name, found in {"ours": mine, **others}.items():
            shares = (found.late_ms(share) for share in (0.5, 0.99, 0.999, 1.0))
            told = ", ".join(f"{share:.2f}" for share in shares)
            print(f"  {rate}/s, {name}: p50, p99, p99.9, max {told} ms late", flush=True)
        work, late = f"late at {rate}/s, p99", mine.late_ms(0.99)
        rows.append(Row(work, "ms", late, GOAL_MS, "the goal", 1.0, less_is_better=True))
        rows += [
            Row(work, "ms", late, found.late_ms(0.99), name, 1.0, less_is_better=True)
            for name, found in others.items()
        ]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="few streams and rounds")
    short = parser.parse_args().short
    rows = throughput(*((2000, 1) if short else (10_000, 3)))
    rows += exactness(2.0 if short else 6.0)
    write("serving_generator", rows)


if __name__ == "__main__":
    main()
