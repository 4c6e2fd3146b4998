"""Did it get better? Bits per byte and text overlap on sources that were never trained on.

Examples of one source are alike, so the interval comes from resampling whole sources, and base and
tuned are compared on the same ones (a paired cluster bootstrap; Field & Welsh 2007).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openhearth.errors import UsageError

RESAMPLES = 4000
LONGEST_NGRAM = 6
BETA = 1.0  # an answer that says too much is as wrong as one that says too little


@dataclass(frozen=True)
class Comparison:
    """A measure for base and tuned. `tuned_ci` is the base's value plus the 95 % interval of the
    paired difference: the tuned model differs beyond the interval if the base lies outside it.
    """

    base: float
    tuned: float
    tuned_ci: tuple[float, float]
    sources: int
    examples: int


def bits_per_byte(
    sources: Sequence[str],
    base_nats: Sequence[np.ndarray],
    tuned_nats: Sequence[np.ndarray],
    answer_bytes: Sequence[int],
) -> Comparison:
    """Compare two models by the losses of each example's answer, in nats, its end token last.

    The end token is left out: it has no bytes, and learning where to stop is an easy win.

    Raises:
        UsageError: there are fewer than two sources.
    """
    size = np.asarray(answer_bytes, dtype=np.float64) * np.log(2)
    base = np.array([nats[:-1].sum() for nats in base_nats], dtype=np.float64)
    tuned = np.array([nats[:-1].sum() for nats in tuned_nats], dtype=np.float64)
    return _compare(sources, base, tuned, size)


def overlap(
    sources: Sequence[str],
    base_texts: Sequence[str],
    tuned_texts: Sequence[str],
    references: Sequence[str],
) -> Comparison:
    """Compare two models by the mean chrF of their answers, from 0 to 1.

    Raises:
        UsageError: there are fewer than two sources.
    """
    base = np.array([chrf(t, r) for t, r in zip(base_texts, references, strict=True)])
    tuned = np.array([chrf(t, r) for t, r in zip(tuned_texts, references, strict=True)])
    return _compare(sources, base, tuned, np.ones(len(base)))


def _compare(
    sources: Sequence[str], base: np.ndarray, tuned: np.ndarray, weight: np.ndarray
) -> Comparison:
    """Sums over examples, divided by the sum of weights, resampled by source."""
    names = sorted(set(sources))
    if len(names) < 2:
        raise UsageError(
            f"{len(names)} held-out sources are too few for an interval: curate more text."
        )
    rows = np.array([names.index(source) for source in sources])
    totals = np.zeros((len(names), 3))
    np.add.at(totals, rows, np.stack([base, tuned, weight], axis=1))
    draws = np.random.default_rng(0).integers(0, len(names), (RESAMPLES, len(names)))
    sums = totals[draws].sum(axis=1)
    low, high = np.percentile((sums[:, 1] - sums[:, 0]) / sums[:, 2], [2.5, 97.5])
    all_base, all_tuned, all_weight = totals.sum(axis=0)
    before = float(all_base / all_weight)
    return Comparison(
        base=before,
        tuned=float(all_tuned / all_weight),
        tuned_ci=(before + float(low), before + float(high)),
        sources=len(names),
        examples=len(base),
    )


def chrf(text: str, reference: str) -> float:
    """Character n-gram F-score from 0 to 1, n from 1 to 6, spaces left out (Popović 2015, chrF1).

    The mean over n of precision, and of recall, for those n that either text has.
    """
    precisions, recalls = [], []
    for n in range(1, LONGEST_NGRAM + 1):
        mine, theirs = _ngrams(text, n), _ngrams(reference, n)
        if not mine and not theirs:
            continue
        shared = (mine & theirs).total()
        precisions.append(shared / mine.total() if mine else 0.0)
        recalls.append(shared / theirs.total() if theirs else 0.0)
    if not precisions:
        return 1.0  # two empty texts are equal
    precision, recall = float(np.mean(precisions)), float(np.mean(recalls))
    if precision + recall == 0:
        return 0.0
    return (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)


def _ngrams(text: str, n: int) -> Counter[str]:
    packed = "".join(text.split())
    return Counter(packed[i : i + n] for i in range(len(packed) - n + 1))
