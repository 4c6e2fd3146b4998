"""Decode steps and prompts: our executor's side, and rows of it against a peer's.

Every side answers the same questions as `_llama_cpp.py`: `decode`, `prefill` and `logits`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from _bandwidth import matrix_bytes
from _results import Row, alternate, seconds
from _sides import Measure
from _smollm import base, prepare

THREADS = 2
CONTEXT, STEPS = 64, 32
PROMPT = 512  # tokens


@dataclass(frozen=True)
class Goals:
    """Times the peer's speed that ours should have: one stream, sixteen, and a prompt."""

    one: float
    sixteen: float
    prompt: float

    def decode(self, streams: int) -> float:
        return {1: self.one, 16: self.sixteen}.get(streams, 1.0)


def goals() -> Goals:
    """By what the processor has, or is told to have: peers gain less by AVX-512 in decoding, more
    in prompts.
    """
    from openhearth.inference.native import _engine
    from openhearth.models.isa import chosen

    return Goals(1.3, 2.5, 1.5) if chosen(_engine.kinds()) == "avx512" else Goals(1.3, 2.2, 1.7)


def ours(home: str, *, greedy: bool) -> Callable[..., Any]:
    """Answers `[work, dtype, …]`; a step ends with logits, or with the likeliest tokens."""
    from openhearth.inference.executor import PAGE, Work
    from openhearth.inference.native.executor import NativeExecutor

    prepare(home)
    pages = (CONTEXT + STEPS) // PAGE + 1
    found: dict[str, NativeExecutor] = {}

    def executor(dtype: str) -> NativeExecutor:
        if dtype not in found:
            memory = 2**29
            found[dtype] = NativeExecutor.load(base(), memory=memory, dtype=dtype, threads=THREADS)
        return found[dtype]

    def answer(work: str, dtype: str, *arguments: Any) -> Any:
        engine = executor(dtype)
        if work == "bytes":
            return matrix_bytes(engine, dtype)
        if work == "logits":
            tokens, out = arguments
            np.save(out, engine.step([Work(tokens, 0, range(32), None, len(tokens))]))
            return 0
        if work == "prefill":
            (tokens,) = arguments
            return seconds(lambda: engine.step([Work(tokens, 0, range(32))]))
        streams, context, steps = arguments
        mine = [range(i * pages, (i + 1) * pages) for i in range(streams)]
        for table in mine:
            engine.step([Work([5] * context, 0, table)])
        works = [[Work([5], context + i, table) for table in mine] for i in range(steps)]

        def step(some: list[Work]) -> None:
            logits = engine.step(some)
            if greedy:
                logits.argmax(-1)

        return [seconds(partial(step, some)) for some in works]

    return answer


def speed(side: Measure, *first: str, streams: int) -> float:
    """Tokens per second of so many streams together."""
    return streams / statistics.median(side("decode", *first, streams, CONTEXT, STEPS))


def rows(
    dtype: str, us: Measure, peer: str, them: Measure, streams: tuple[int, ...], tokens: list[int]
) -> Iterator[Row]:
    """Tokens per second of both: decoding so many streams, and a prompt."""
    wanted = goals()
    for count in streams:
        speeds = alternate(
            partial(speed, us, dtype, streams=count), partial(speed, them, streams=count), rounds=3
        )
        work = f"decode, {count} streams, {dtype}"
        yield Row(work, "tokens/s", *speeds, peer, wanted.decode(count))
    prompt = tokens[:PROMPT]
    speeds = alternate(
        lambda: PROMPT / us("prefill", dtype, prompt),
        lambda: PROMPT / them("prefill", prompt),
        rounds=5,
    )
    yield Row(f"prompt of {PROMPT}, {dtype}", "tokens/s", *speeds, peer, wanted.prompt)
