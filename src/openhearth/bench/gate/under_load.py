"""Whether it is another model that answers under load (rules 31 and 43)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from openhearth.bench.gate.lies import FINDING, samples_of, statistics
from openhearth.bench.gate.two_sample import TwoSample, hamming, two_sample
from openhearth.bench.records import Record
from openhearth.errors import UsageError

MOVED = 0.1  # of greedy answers: so many may change with who is in the same batch
PERMUTATIONS = 10_000

Kind = Literal["prompt", "question"]  # asked many times; of tasks and tools, asked once


@dataclass(frozen=True)
class Greedy:
    """Greedy answers to questions of one kind that were asked under load and alone: to how many of
    these most answers under load are less like the reference's than that alone, and to how many
    more like it. `p` is that of one model.
    """

    questions: int
    less: int
    more: int
    p: float


@dataclass(frozen=True)
class UnderLoad:
    """What drawn answers tell, and what greedy ones do; what were too few is None."""

    drawn: TwoSample | None
    greedy: Mapping[Kind, Greedy]

    @property
    def p(self) -> float:
        """That one model answers under load and alone: the least of all, corrected for that."""
        found = [one.p for one in (self.drawn, *self.greedy.values()) if one is not None]
        return min(1.0, len(found) * min(found))

    @property
    def found(self) -> bool:
        """Whether it is another."""
        return self.p < FINDING

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "p": self.p,
            "found": self.found,
            "drawn": self.drawn.to_dict() if self.drawn else None,
            "greedy": {kind: asdict(one) for kind, one in self.greedy.items()},
        }


def under_load(
    loaded: Sequence[Record], alone: Sequence[Record], reference: Sequence[Record]
) -> UnderLoad | None:
    """The same questions under load and alone; None if too few were answered in both."""
    try:
        drawn = two_sample(samples_of(loaded), samples_of(alone))
    except UsageError:
        drawn = None
    greedy: dict[Kind, Greedy] = {}
    for kind in ("prompt", "question"):
        ours, ours_alone, theirs = (_greedy(kind, some) for some in (loaded, alone, reference))
        if found := compare_greedy(ours, ours_alone, theirs):
            greedy[kind] = found
    return UnderLoad(drawn, greedy) if drawn or greedy else None


def compare_greedy(
    loaded: Mapping[int, Sequence[str]],
    alone: Mapping[int, Sequence[str]],
    reference: Mapping[int, Sequence[str]],
    seed: int = 0,
) -> Greedy | None:
    """By permuting, within questions, which of the answers came alone: if one model gives them, it
    may be any. Nor is it another while to no more than `MOVED` of the questions most answers are
    less like the reference's.
    """
    shared = sorted(loaded.keys() & alone.keys() & reference.keys())
    if not shared:
        return None
    alike = [_alike([alone[q][0], *loaded[q]], reference[q][0]) for q in shared]
    less, more = (sum(_most(side * one) for one in alike) for side in (1, -1))
    by_share = statistics().binomtest(less, len(shared), MOVED, alternative="greater").pvalue
    by_order = _by_order([_gains(one) for one in alike], np.random.default_rng(seed))
    return Greedy(len(shared), less, more, max(float(by_share), by_order))


def _alike(answers: Sequence[str], reference: str) -> np.ndarray:
    """How much each of them is like the reference's."""
    return hamming([reference, *answers])[0, 1:]


def _most(alike: np.ndarray) -> bool:
    """Whether most of the others are below the first."""
    return bool((alike[1:] < alike[0]).mean() > 0.5)


def _gains(alike: np.ndarray) -> np.ndarray:
    """By how much the mean of all others is above each of them."""
    return (alike.sum() - alike) / (len(alike) - 1) - alike


def _by_order(gains: Sequence[np.ndarray], rng: np.random.Generator) -> float:
    """p that the first of each is what one among them would be (Phipson and Smyth 2010)."""
    found = sum(float(one[0]) for one in gains)
    drawn = np.sum([rng.choice(one, PERMUTATIONS) for one in gains], axis=0)
    return float(1 + (drawn <= found + 1e-12).sum()) / (1 + PERMUTATIONS)


def _greedy(kind: Kind, records: Iterable[Record]) -> dict[int, list[str]]:
    """The greedy answers to each prompt that is asked many times, or to each other question."""
    found: dict[int, list[str]] = {}
    for record in records:
        asked: Kind = "prompt" if "prompt" in record.check else "question"
        if asked == kind and record.failure is None and record.request.get("temperature") == 0:
            found.setdefault(record.check[kind], []).append(record.output)
    return found
