"""The figures of a group of requests: all of a point's, or one workload's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openhearth.bench.measures.fluidity import fluidity
from openhearth.bench.measures.intervals import BLOCK_S, Spread, spread
from openhearth.bench.measures.objective import Decision, decide, keeps
from openhearth.bench.measures.prompts import prompt_texts
from openhearth.bench.measures.timing import Timing
from openhearth.bench.measures.window import Window
from openhearth.bench.recipe import Objective


@dataclass(frozen=True)
class Rates:
    """Of the window, each a second (rule 26). Tokens are those that came in it, of whatever
    request, prompts with the first of their answers; useful ones are those of requests that were
    due in it and met the objective.
    """

    requests: float
    goodput: float
    tokens: float
    total_tokens: float
    useful_tokens: float
    useful_prompt_tokens: float


@dataclass(frozen=True)
class Answers:
    """What became of the requests that were due in the window. Times are milliseconds.

    A percentile is infinite where more requests failed than it leaves out (rule 28). Those of
    `fluidity` go from the best to the worst: P99 is what 99 % reach. `connect_ms` is of those that
    made a connection, with names and TLS (rule 30).
    """

    requests: int
    errors: dict[str, int]
    hung_up: int
    prompt_tokens: int
    prompt_bytes: int
    tokens: int
    answer_bytes: int
    chunks: int
    tokens_per_chunk: float | None
    rates: Rates
    objective: Decision
    ttft_ms: Spread | None
    ttfo_ms: Spread | None
    itl_ms: Spread | None
    icl_ms: Spread | None
    tpot_ms: Spread | None
    ntpot_ms: Spread | None
    e2e_ms: Spread | None
    connect_ms: Spread | None
    fluidity: Spread | None


def answers(timings: Sequence[Timing], window: Window, objective: Objective) -> Answers:
    """The figures of a group, of which all timings of the point are given."""
    due = [timing for timing in timings if window.holds(timing.record.due)]
    blocks = [int((timing.record.due - window.begin) // BLOCK_S) for timing in due]
    tokens, chunks = (sum(t.tokens for t in due), sum(len(t.record.chunks) for t in due))

    def milliseconds(found: Iterable[float | None]) -> Spread | None:
        return spread([[] if value is None else [(1e3 * value, 1)] for value in found], blocks)

    def weighted(found: Iterable[Iterable[tuple[float, int]]]) -> Spread | None:
        return spread([[(1e3 * value, weight) for value, weight in one] for one in found], blocks)

    return Answers(
        requests=len(due),
        errors=errors(due),
        hung_up=sum(timing.record.hung_up for timing in due),
        prompt_tokens=sum(timing.prompt_tokens for timing in due),
        prompt_bytes=sum(_bytes(prompt_texts(timing.record.request)) for timing in due),
        tokens=tokens,
        answer_bytes=sum(_bytes([timing.record.output]) for timing in due),
        chunks=chunks,
        tokens_per_chunk=tokens / chunks if chunks else None,
        rates=_rates(timings, window, objective),
        objective=decide(due, objective),
        ttft_ms=milliseconds(timing.ttft for timing in due),
        ttfo_ms=milliseconds(timing.ttfo for timing in due),
        itl_ms=weighted(timing.itl() for timing in due),
        icl_ms=weighted(timing.icl() for timing in due),
        tpot_ms=milliseconds(timing.tpot for timing in due),
        ntpot_ms=milliseconds(timing.ntpot for timing in due),
        e2e_ms=milliseconds(timing.e2e for timing in due),
        connect_ms=milliseconds(timing.record.connect_s for timing in due),
        fluidity=_fluidity(due, blocks, objective),
    )


def errors(timings: Iterable[Timing]) -> dict[str, int]:
    """How many ended in each class of errors (rule 28)."""
    failures = (timing.record.failure for timing in timings)
    return dict(sorted(Counter(failure.value for failure in failures if failure).items()))


def _rates(timings: Sequence[Timing], window: Window, objective: Objective) -> Rates:
    due = [timing for timing in timings if window.holds(timing.record.due)]
    kept = [timing for timing in due if keeps(timing, objective)]
    events = (event for timing in timings for event in timing.events)
    came = sum(tokens for at, tokens in events if window.holds(at))
    read = sum(t.prompt_tokens for t in timings if t.first is not None and window.holds(t.first))
    return Rates(
        requests=len(due) / window.seconds,
        goodput=len(kept) / window.seconds,
        tokens=came / window.seconds,
        total_tokens=(came + read) / window.seconds,
        useful_tokens=sum(timing.tokens for timing in kept) / window.seconds,
        useful_prompt_tokens=sum(timing.prompt_tokens for timing in kept) / window.seconds,
    )


def _fluidity(due: Sequence[Timing], blocks: Sequence[int], objective: Objective) -> Spread | None:
    """From the best to the worst: the spread of what is lost, turned round."""
    values = [fluidity(timing, objective) for timing in due]
    lost = spread([[] if value is None else [(-value, 1)] for value in values], blocks)
    return lost.turned() if lost else None


def _bytes(texts: Iterable[str]) -> int:
    return sum(len(text.encode()) for text in texts)
