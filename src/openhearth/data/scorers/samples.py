"""Examples to learn from: a sample of each class, and how good a model is on those held out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from openhearth.errors import UsageError

SAMPLE = 75_000  # documents of a class: as many as RedPajama-V2's classifiers learned from
HELD_OUT = 10  # one of so many


def sample(texts: Iterable[pa.Array], what: str, seed: int, size: int = SAMPLE) -> list[str]:
    """At most `size` of all texts that are not blank, each as likely as any other, in random order.

    The texts are read once (Vitter 1985, Random Sampling with a Reservoir, algorithm R).

    Raises:
        UsageError: there are fewer than two, one to learn from and one to hold out.
    """
    rng = np.random.default_rng(seed)
    kept: list[str] = []
    seen = 0
    for text in (text for array in texts for text in array.to_pylist()):
        if not text or text.isspace():
            continue
        seen += 1
        place = len(kept) if len(kept) < size else int(rng.integers(seen))
        if place < size:
            kept[place : place + 1] = [text]
    if len(kept) < 2:
        raise UsageError(
            f"There are {len(kept)} {what} documents to learn from: give at least two, and some "
            "hundreds for a model that is any good."
        )
    return [kept[i] for i in rng.permutation(len(kept))]


def split(texts: list[str]) -> tuple[list[str], list[str]]:
    """Those to learn from, and those to hold out."""
    apart = max(1, len(texts) // HELD_OUT)
    return texts[apart:], texts[:apart]


def measure(positive: np.ndarray, negative: np.ndarray) -> dict[str, float]:
    """How well probabilities of being positive tell held-out documents of two classes apart.

    `auc` is the share of pairs that are in the right order, `accuracy` that of right sides of 1/2,
    `log_loss` in nats; `calibration_error` is the mean distance, over ten equal bins weighed by
    their documents, between the mean probability and the share of positives (Naeini et al. 2015,
    Obtaining Well Calibrated Probabilities Using Bayesian Binning). NaN counts as 1/2.
    """
    scores = np.nan_to_num(np.concatenate([positive, negative]), nan=0.5)
    labels = np.repeat([1.0, 0.0], [len(positive), len(negative)])
    high, low = scores[: len(positive)], np.sort(scores[len(positive) :])
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    bins = np.minimum((scores * 10).astype(np.int64), 9)
    error = np.abs(np.bincount(bins, scores - labels, 10)).sum() / len(scores)
    likelihood = np.where(labels == 1, scores, 1 - scores)
    return {
        "auc": float(below.sum() / (2 * len(high) * len(low))),
        "accuracy": float(np.mean((scores > 0.5) == (labels == 1))),
        "log_loss": float(-np.log(np.maximum(likelihood, 1e-12)).mean()),
        "calibration_error": float(error),
        "held_out": float(len(scores)),
    }
