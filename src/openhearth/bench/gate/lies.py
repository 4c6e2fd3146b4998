"""Answers that are not what they seem: stored ones and cut ones (rules 41 and 42)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from openhearth.bench.gate.two_sample import Samples
from openhearth.bench.records import Record
from openhearth.errors import MissingExtra

FINDING = 0.01 / 3  # p below which it is one: an honest server has 1 % for rules 41 to 43 together
SHORT_OF = 0.9  # of max_tokens: an answer that ends by "length" before that was cut


@dataclass(frozen=True)
class Stored:
    """Pairs of answers to one prompt, drawn at a temperature, that are equal; `p` that so many are
    by the reference's share of equal ones.
    """

    equal: int
    pairs: int
    reference_share: float
    p: float

    @property
    def found(self) -> bool:
        """Whether answers were stored."""
        return self.p < FINDING


@dataclass(frozen=True)
class Cut:
    """Lengths of answers against the reference's by Kolmogorov and Smirnov, and answers that ended
    by "length" although they had room.
    """

    distance: float
    p: float
    early: int
    answers: int

    @property
    def found(self) -> bool:
        """Whether answers were cut."""
        return self.p < FINDING or self.early > 0


def samples_of(records: Iterable[Record]) -> Samples:
    """The answers, at a temperature, to the prompts that are asked many times."""
    found: dict[int, list[str]] = defaultdict(list)
    for record in records:
        drawn = record.check.get("gate") == "samples" and record.request.get("temperature")
        if drawn and record.failure is None:
            found[record.check["prompt"]].append(record.output)
    return dict(found)


def stored(served: Samples, reference: Samples) -> Stored | None:
    """Independent pairs: the first answer with the second, the third with the fourth."""
    ours, theirs = _pairs(served), _pairs(reference)
    if not ours or not theirs:
        return None
    share = (sum(theirs) + 1) / (len(theirs) + 2)  # Laplace's rule: it is not known exactly
    binomtest = statistics().binomtest
    p = float(binomtest(sum(ours), len(ours), share, alternative="greater").pvalue)
    return Stored(sum(ours), len(ours), share, p)


def cut(served: Sequence[Record], reference: Sequence[Record]) -> Cut | None:
    """Of the answers to the prompts that are asked many times, in characters."""
    ours, theirs = _lengths(served), _lengths(reference)
    if not ours or not theirs:
        return None
    test = statistics().ks_2samp(ours, theirs, method="asymp")
    early = sum(_ended_early(record) for record in served)
    return Cut(float(test.statistic), float(test.pvalue), early, len(ours))


def told(finding: Stored | Cut | None) -> dict[str, Any] | None:
    """Plain data for JSON."""
    return None if finding is None else asdict(finding) | {"found": finding.found}


def _pairs(samples: Samples) -> list[bool]:
    return [
        one == other
        for texts in samples.values()
        for one, other in zip(texts[::2], texts[1::2], strict=False)
        if one
    ]


def _lengths(records: Iterable[Record]) -> list[int]:
    return [len(text) for texts in samples_of(records).values() for text in texts]


def _ended_early(record: Record) -> bool:
    most, got = record.request.get("max_tokens"), record.completion_tokens
    ended = record.failure is None and record.finish == "length"
    return bool(ended and most and got is not None and got < SHORT_OF * most)


def statistics() -> Any:
    """SciPy's tests.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        from scipy import stats
    except ModuleNotFoundError as error:
        raise MissingExtra("scipy", "bench") from error
    return stats
