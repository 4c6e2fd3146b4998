"""Is the served model worse at tasks? Item by item (rules 35 and 36)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

WORSE = 0.05  # of p, one-sided
Z = 1.959964 + 0.841621  # two-sided 5 %, 80 % power


@dataclass(frozen=True)
class Paired:
    """Scores from 0 to 1 on the same items. `p` is one-sided: that the served model is no worse.

    `detectable` is the least difference that so many items find with 80 % power, at the share of
    items on which both differ here.
    """

    served: float
    reference: float
    lost: int  # items that only the reference got right
    won: int
    items: int
    p: float
    detectable: float

    @property
    def worse(self) -> bool:
        """Whether it is, beyond chance."""
        return self.p < WORSE

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"worse": self.worse}


def paired(served: Sequence[bool], reference: Sequence[bool]) -> Paired | None:
    """McNemar's test, exact (McNemar 1947): the items on which both differ are a fair coin's if
    neither is better. None of no items.
    """
    items = len(served)
    if not items:
        return None
    both = list(zip(served, reference, strict=True))
    lost = sum(theirs and not ours for ours, theirs in both)
    won = sum(ours and not theirs for ours, theirs in both)
    differ = max(1, lost + won) / items
    return Paired(
        served=sum(served) / items,
        reference=sum(reference) / items,
        lost=lost,
        won=won,
        items=items,
        p=_tail(lost, lost + won),
        detectable=Z * math.sqrt(differ / items),
    )


def _tail(heads: int, flips: int) -> float:
    """How likely a fair coin shows so many heads or more."""
    return sum(math.comb(flips, k) for k in range(heads, flips + 1)) / 2**flips


@dataclass(frozen=True)
class Tools:
    """F1 of whether a tool was called, the reference's calls being right, and valid calls."""

    trigger_f1: float
    valid: float | None  # share of calls that keep the schema; None of no calls
    calls: int
    items: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def tools(called: Sequence[bool], expected: Sequence[bool], valid: Sequence[bool]) -> Tools:
    """`valid` has a value for each call that was made."""
    pairs = list(zip(called, expected, strict=True))
    right = sum(did and should for did, should in pairs)
    wrong = sum(did != should for did, should in pairs)
    return Tools(
        trigger_f1=2 * right / (2 * right + wrong) if right + wrong else 1.0,
        valid=sum(valid) / len(valid) if valid else None,
        calls=len(valid),
        items=len(pairs),
    )
