"""Decode steps and prompts: our executor's side, and rows of it against a peer's.

Every side answers the same questions as `_llama_cpp.py`: `decode`, `prefill` and `logits`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from _results import Row, alternate, seconds
from _sides import Measure
from _smollm import base, prepare

THREADS = 2
CONTEXT, STEPS = 64, 32
PROMPT = 512  # tokens
GOALS = {1: 1.3, 16: 2.5}  # by streams
PROMPT_GOAL = 1.5


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


def rows(
    dtype: str, us: Measure, peer: str, them: Measure, streams: tuple[int, ...], tokens: list[int]
) -> Iterator[Row]:
    """Tokens per second of both: decoding so many streams, and a prompt."""
    for count in streams:

        def speed(side: Measure, *first: str, n: int = count) -> float:
            return n / statistics.median(side("decode", *first, n, CONTEXT, STEPS))

        speeds = alternate(partial(speed, us, dtype), partial(speed, them), rounds=3)
        work = f"decode, {count} streams, {dtype}"
        yield Row(work, "tokens/s", *speeds, peer, GOALS.get(count, 1.0))
    prompt = tokens[:PROMPT]
    speeds = alternate(
        lambda: PROMPT / us("prefill", dtype, prompt),
        lambda: PROMPT / them("prefill", prompt),
        rounds=5,
    )
    yield Row(f"prompt of {PROMPT}, {dtype}", "tokens/s", *speeds, peer, PROMPT_GOAL)
