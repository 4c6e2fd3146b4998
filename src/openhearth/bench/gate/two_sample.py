"""Do two samples of completions come from one distribution? (rules 33 and 34)

Maximum mean discrepancy with the Hamming kernel over characters, as of Gao, Liang and Guestrin,
"Model Equality Testing" (ICLR 2025, arXiv:2410.20247): the kernel of two texts is the share of
places at which they have the same character, and zero if they answer different prompts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from openhearth.errors import UsageError

LENGTH = 1000  # characters that are compared
PERMUTATIONS = 1000
RESAMPLES = 1000
PAD = -1
APART = 0.01  # p below which two samples come from two distributions

Samples = Mapping[int, Sequence[str]]  # prompt -> completions


@dataclass(frozen=True)
class TwoSample:
    """`p` of equality, and the distance with the upper end of its one-sided 95 % interval.

    `margin` is what counts as equal; None if the reference has too few samples to halve. `scale` is
    the distance between the reference's answers to a prompt and to the next one: how far apart
    answers can be.
    """

    distance: float
    upper: float
    p: float
    margin: float | None
    scale: float
    prompts: int
    samples: int  # of the smaller side and prompt

    @property
    def equivalent(self) -> bool | None:
        """Whether the bound is within the margin; None if there is none, or one so wide that even
        answers to other questions would be near it: then the samples are too few to tell.
        """
        if self.margin is None or self.margin > self.scale / 2:
            return None
        return self.upper <= self.margin

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"equivalent": self.equivalent}


def two_sample(served: Samples, reference: Samples, seed: int = 0) -> TwoSample:
    """Compare completions prompt by prompt.

    The margin comes from the reference's own samples (`_margin`), so that it shrinks with their
    number: more samples make the gate stricter, never laxer.

    Raises:
        UsageError: fewer than two prompts have two samples on each side.
    """
    rng = np.random.default_rng(seed)
    kernels = _kernels(served, reference)
    each = _each(kernels)
    distance = float(each.mean())
    return TwoSample(
        distance=distance,
        upper=_upper(each, rng),
        p=_p(kernels, distance, rng),
        margin=_margin(reference, rng),
        scale=_scale(reference),
        prompts=len(kernels),
        samples=min(min(first, len(kernel) - first) for kernel, first in kernels),
    )


# Of one prompt: the kernel of all its completions with each other, and how many are the served.
Kernel = tuple[np.ndarray, int]


def _kernels(served: Samples, reference: Samples) -> list[Kernel]:
    shared = sorted(set(served) & set(reference))
    ours = [
        (hamming([*served[prompt], *reference[prompt]]), len(served[prompt]))
        for prompt in shared
        if min(len(served[prompt]), len(reference[prompt])) >= 2
    ]
    if len(ours) < 2:
        raise UsageError(
            "Two samples need two prompts or more, with two answers or more on each side."
        )
    return ours


def hamming(texts: Sequence[str]) -> np.ndarray:
    """The share of places with equal characters, for each two texts: [n, n].

    All are padded to the longest of them, and padding equals padding; then k(x, x) is 1, and the
    paper's normalised kernel is just this share.
    """
    cut = [text[:LENGTH].encode("utf-32-le", "surrogatepass") for text in texts]
    rows = np.full((len(cut), max(1, *(len(text) // 4 for text in cut))), PAD, dtype=np.int32)
    for row, text in zip(rows, cut, strict=True):
        row[: len(text) // 4] = np.frombuffer(text, dtype=np.int32)
    return np.stack([(rows == row).mean(axis=1) for row in rows])


def _split(kernel: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Squared MMD without bias for each row of `first` [splits, n], which says whose a text is."""
    ours = first.astype(np.float64)
    theirs = 1 - ours
    n, m = ours.sum(axis=1), theirs.sum(axis=1)
    others = kernel - np.diag(np.diag(kernel))
    own = ((ours @ others) * ours).sum(axis=1) / (n * (n - 1))
    other = ((theirs @ others) * theirs).sum(axis=1) / (m * (m - 1))
    return own + other - 2 * ((ours @ kernel) * theirs).sum(axis=1) / (n * m)


def _each(kernels: Sequence[Kernel]) -> np.ndarray:
    """The distance of each prompt."""
    return np.array([_split(k, np.arange(len(k))[None] < first)[0] for k, first in kernels])


def _halved(kernels: Sequence[Kernel], rng: np.random.Generator) -> np.ndarray:
    """The distance, its mean over prompts, of random splits of each prompt's texts."""
    total = np.zeros(PERMUTATIONS)
    for kernel, first in kernels:
        ranks = rng.random((PERMUTATIONS, len(kernel))).argsort(axis=1)
        total += _split(kernel, ranks < first)
    return total / len(kernels)


def _p(kernels: Sequence[Kernel], found: float, rng: np.random.Generator) -> float:
    """By permuting who said what, within prompts (Phipson and Smyth 2010 for the ones added)."""
    larger = int((_halved(kernels, rng) >= found - 1e-12).sum())
    return (1 + larger) / (1 + PERMUTATIONS)


def _upper(each: np.ndarray, rng: np.random.Generator) -> float:
    """The upper 95 % bound by resampling prompts, whose distances are independent."""
    draws = rng.integers(0, len(each), (RESAMPLES, len(each)))
    return float(np.quantile(each[draws].mean(axis=1), 0.95))


def _margin(reference: Samples, rng: np.random.Generator) -> float | None:
    """Twice what the reference differs from itself by, in 95 % of halvings of its samples."""
    own = [
        (hamming(texts), len(texts) // 2)
        for _, texts in sorted(reference.items())
        if len(texts) >= 4
    ]
    return 2 * float(np.quantile(_halved(own, rng), 0.95)) if len(own) >= 2 else None


def _scale(reference: Samples) -> float:
    """The distance between the answers to each prompt and those to the next."""
    texts = [list(texts) for _, texts in sorted(reference.items()) if len(texts) >= 2]
    pairs = zip(texts, texts[1:] + texts[:1], strict=True)
    kernels = [(hamming([*one, *other]), len(one)) for one, other in pairs]
    return float(_each(kernels).mean()) if len(kernels) >= 2 else 0.0
