"""Records with chosen times, and servers that exist only as arithmetic."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from openhearth.bench.measures import Timing, timings
from openhearth.bench.measures.tokens import ByBytes
from openhearth.bench.recipe import Objective, Recipe
from openhearth.bench.records import Chunk, Record

TOKEN = "word"  # one of four bytes
OBJECTIVE = Objective(ttft_ms=1000, tpot_ms=250, fluidity=0.9, share=0.9)
RECIPE = Recipe(name="test", workloads={"chat": 1}, objective=OBJECTIVE)


def record(due: float, *chunks: tuple[float, int | str], **rest: Any) -> Record:
    """An answer whose chunks came so long after it was due, of so many tokens, or with a text."""
    came = [Chunk(due + at, TOKEN * what if isinstance(what, int) else what) for at, what in chunks]
    usual: dict[str, Any] = {
        "number": 0,
        "workload": "chat",
        "route": "chat/completions",
        "request": {"messages": [{"role": "user", "content": TOKEN * 3}]},
        "sent": due,
        "ended": came[-1].at if came else due,
        "finish": "stop",
    }
    return Record(due=due, chunks=came, **usual | rest)


def timing(due: float, *chunks: tuple[float, int | str], **rest: Any) -> Timing:
    """The timing of such a record."""
    (one,) = timings([record(due, *chunks, **rest)], ByBytes())
    return one


def at_times(dues: Sequence[float], chunks: Callable[[int], Sequence[tuple[float, int]]]) -> Any:
    """The timings of many: request i is due at `dues[i]`."""
    records = [record(due, *chunks(i), number=i) for i, due in enumerate(dues)]
    return timings(records, ByBytes())


def queue(dues: Sequence[float], works: Sequence[float], servers: int) -> list[Record]:
    """A queue before some servers: an answer is one chunk as soon as a server is free, and three
    more in equal steps while it works.
    """
    free = [0.0] * servers
    records = []
    for number, (due, work) in enumerate(zip(dues, works, strict=True)):
        begun = max(due, heapq.heappop(free))
        heapq.heappush(free, begun + work)
        chunks = [(begun - due + work * step / 4, 1) for step in (0, 1, 2, 3)]
        records.append(record(due, *chunks, number=number, ended=begun + work))
    return records


def poisson(rate: float, seconds: float, seed: int) -> list[float]:
    """Times at which requests are due."""
    gaps = np.random.default_rng(seed).exponential(1 / rate, int(2 * rate * seconds) + 50)
    times = np.cumsum(gaps)
    return [float(time) for time in times[times < seconds]]


# Multiples of 1/1024 s below a day, of which sums and differences are exact.
ticks = st.integers(0, 2**20).map(lambda number: number / 1024)


@st.composite
def answers(draw: st.DrawFn) -> list[tuple[float, int]]:
    """When the chunks of an answer came after it was due, and how many tokens they have."""
    waits = draw(st.lists(ticks, min_size=1, max_size=8))
    counts = draw(st.lists(st.integers(1, 5), min_size=len(waits), max_size=len(waits)))
    return [(sum(waits[: i + 1]), count) for i, count in enumerate(counts)]
