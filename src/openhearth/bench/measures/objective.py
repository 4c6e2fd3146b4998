"""Which requests keep the objective, and whether enough of them do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from openhearth.bench.measures.fluidity import fluidity
from openhearth.bench.measures.significance import clopper_pearson
from openhearth.bench.measures.timing import Timing
from openhearth.bench.recipe import Objective


class Verdict(StrEnum):
    """What is known of a point."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Decision:
    """How many of the requests missed the objective; the bounds of the share of misses, each with
    95 % confidence; and the share that the objective allows.
    """

    requests: int
    misses: int
    low: float
    high: float
    allowed: float

    @property
    def verdict(self) -> Verdict:
        """It holds, or fails, with 95 % confidence (rule 18)."""
        if self.high <= self.allowed:
            return Verdict.HOLDS
        return Verdict.FAILS if self.low > self.allowed else Verdict.UNDECIDED


def keeps(timing: Timing, objective: Objective) -> bool:
    """Whether a request keeps all bounds (rule 27). One of a single chunk has no time per token."""
    ttft, tpot, smooth = timing.ttft, timing.tpot, fluidity(timing, objective)
    return (
        not timing.failed
        and (ttft is not None and 1e3 * ttft <= objective.ttft_ms)
        and (tpot is None or 1e3 * tpot <= objective.tpot_ms)
        and (smooth is None or smooth >= objective.fluidity)
    )


def decide(timings: Iterable[Timing], objective: Objective) -> Decision:
    """What these requests say about the share that the objective wants."""
    kept = [keeps(timing, objective) for timing in timings]
    misses = kept.count(False)
    allowed = round(1 - objective.share, 12)  # 1 - 0.9 is a little less than 0.1
    return Decision(len(kept), misses, *clopper_pearson(misses, len(kept)), allowed)
