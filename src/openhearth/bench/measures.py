"""From records of requests to the numbers that are reported; never a mean alone.

Definitions are those of docs/reference/benchmark-protocol.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from openhearth.bench.records import Record, well

PERCENTILES = (50, 90, 99)
RESAMPLES = 1000


@dataclass(frozen=True)
class Spread:
    """Percentiles of a quantity, and a 95 % bootstrap interval of its median."""

    p50: float
    p90: float
    p99: float
    p50_low: float
    p50_high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """The spread of some values; None of none."""
        if not values:
            return None
        data = np.asarray(values, dtype=np.float64)
        draws = np.random.default_rng(0).integers(0, len(data), (RESAMPLES, len(data)))
        low, high = np.percentile(np.median(data[draws], axis=1), [2.5, 97.5])
        p50, p90, p99 = np.percentile(data, PERCENTILES)
        return cls(float(p50), float(p90), float(p99), float(low), float(high))


@dataclass(frozen=True)
class Measures:
    """What a load did. Times in milliseconds; `tokens_per_s` counts answers' tokens of all
    requests over the time from the first send to the last end.
    """

    requests: int
    errors: dict[str, int]
    ttft_ms: Spread | None
    inter_token_ms: Spread | None
    end_to_end_ms: Spread | None
    tokens_per_s: float
    requests_per_s: float
    prompt_tokens: int
    completion_tokens: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def measure(records: Sequence[Record]) -> Measures:
    """The measures of some requests. Failed ones are counted by kind and left out of the times."""
    good = well(records)
    sent = min((record.sent or 0.0 for record in good), default=0.0)
    span = max((_ended(record) for record in good), default=0.0) - sent
    tokens = sum(record.completion_tokens or 0 for record in good)
    arrivals = [[chunk.at for chunk in record.chunks] for record in good]
    begins = [(record.due, times[0]) for record, times in zip(good, arrivals, strict=True) if times]
    return Measures(
        requests=len(records),
        errors=dict(Counter(record.failure.value for record in records if record.failure)),
        ttft_ms=Spread.of([1e3 * (first - due) for due, first in begins]),
        inter_token_ms=Spread.of([1e3 * gap for times in arrivals for gap in np.diff(times)]),
        end_to_end_ms=Spread.of([1e3 * (_ended(r) - r.due) for r in good]),
        tokens_per_s=tokens / span if span > 0 else 0.0,
        requests_per_s=len(good) / span if span > 0 else 0.0,
        prompt_tokens=sum(record.prompt_tokens or 0 for record in good),
        completion_tokens=tokens,
    )


def _ended(record: Record) -> float:
    return record.due if record.ended is None else record.ended
