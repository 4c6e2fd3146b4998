"""Whether it is another model that answers under load (rules 31 and 43)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from openhearth.bench.gate.lies import FINDING, samples_of, statistics
from openhearth.bench.gate.two_sample import TwoSample, hamming, two_sample
from openhearth.bench.records import Record
from openhearth.errors import UsageError

MOVED = 0.1  # of greedy answers: so many may change with who is in the same batch


@dataclass(frozen=True)
class Greedy:
    """Greedy answers to questions that were asked under load and alone: how many are less like the
    reference's answer under load, and how many more. `p` is that of one model.
    """

    questions: int
    less: int
    more: int
    p: float


@dataclass(frozen=True)
class UnderLoad:
    """What drawn answers tell, and what greedy ones do; what were too few is None."""

    drawn: TwoSample | None
    greedy: Greedy | None

    @property
    def p(self) -> float:
        """That one model answers under load and alone: the lesser of two, corrected for that."""
        found = [one.p for one in (self.drawn, self.greedy) if one is not None]
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
            "greedy": asdict(self.greedy) if self.greedy else None,
        }


def under_load(
    loaded: Sequence[Record], alone: Sequence[Record], reference: Sequence[Record]
) -> UnderLoad | None:
    """The same questions under load and alone; None if too few were answered in both."""
    try:
        drawn = two_sample(samples_of(loaded), samples_of(alone))
    except UsageError:
        drawn = None
    greedy = compare_greedy(_greedy(loaded), _greedy(alone), _greedy(reference))
    return UnderLoad(drawn, greedy) if drawn or greedy else None


def compare_greedy(
    loaded: Mapping[Any, str], alone: Mapping[Any, str], reference: Mapping[Any, str]
) -> Greedy | None:
    """By the sign test: if one model answers, either answer is as often the less like the
    reference's. Nor is it another while no more than `MOVED` of them are less like it.
    """
    shared = loaded.keys() & alone.keys() & reference.keys()
    if not shared:
        return None
    gains = [_alike(loaded[q], reference[q]) - _alike(alone[q], reference[q]) for q in shared]
    less, more = sum(gain < 0 for gain in gains), sum(gain > 0 for gain in gains)
    if not less:
        return Greedy(len(shared), less, more, 1.0)
    test = statistics().binomtest
    by_sign = test(less, less + more, 0.5, alternative="greater").pvalue
    by_share = test(less, len(shared), MOVED, alternative="greater").pvalue
    return Greedy(len(shared), less, more, float(max(by_sign, by_share)))


def _alike(one: str, other: str) -> float:
    return float(hamming([one, other])[0, 1])


def _greedy(records: Iterable[Record]) -> dict[tuple[str, int], str]:
    """The first greedy answer to each prompt and task."""
    found: dict[tuple[str, int], str] = {}
    for record in records:
        if record.failure is None and record.request.get("temperature") == 0:
            asked = "prompt" if "prompt" in record.check else "question"
            found.setdefault((asked, record.check[asked]), record.output)
    return found
