"""Which tokens come next: penalties, constraint, temperature, filters, then the Gumbel-max trick.

A row's choice depends on its logits, its request's parameters, and the noise of (seed, position):
on nothing else in the step. The functions here are plain NumPy; `native/inference/sample.cpp`
makes the same choices, whole steps at a time. docs/reference/sampling.md defines the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from openhearth.inference.noise import gumbel, logarithm, power
from openhearth.inference.penalties import Penalties
from openhearth.inference.request import Sampling

Floats = npt.NDArray[np.float32]
LOG2_E = np.float32(1.44269504)
GREEDY, ANY, MOST = np.float32(0), np.float32(-np.inf), float(np.finfo(np.float32).max)
NO_TOKENS = np.empty(0, dtype=np.int32)
NO_VALUES = np.empty(0, dtype=np.float32)


@dataclass(frozen=True)
class Draw:
    """How to choose the token at `position` of one sequence.

    `allowed` has a bit for each token, lowest first, in words of 32 bits; tokens past its end are
    not allowed. None allows all.
    """

    sampling: Sampling
    seed: int
    position: int
    penalties: Penalties | None = None
    allowed: npt.NDArray[np.uint32] | None = None


@dataclass(frozen=True)
class Choice:
    """A token, or -1 where logits are NaN or infinite, or where nothing is allowed.

    `logprob` and `top` (id, logprob; likeliest first) are natural logarithms of the probabilities
    before any change, if the request asks for them.
    """

    token: int
    logprob: float = 0.0
    top: Sequence[tuple[int, float]] = ()


def sample(logits: Floats, draws: Sequence[Draw], program: Any = None) -> list[Choice]:
    """The choice for each row of `logits` [n, vocab_size].

    `program` is an `openhearth._engine.Program`, whose threads do the work; without one it is done
    in NumPy, with the same result.
    """
    if program is None:
        return [sample_row(row, draw) for row, draw in zip(logits, draws, strict=True)]
    from openhearth import _engine

    native = [_native(row, draw) for row, draw in zip(logits, draws, strict=True)]
    return [Choice(c.token, c.logprob, c.top) for c in _engine.sample(program, logits, native)]


def _native(logits: Floats, draw: Draw) -> Any:
    from openhearth import _engine

    sampling, penalties = draw.sampling, draw.penalties
    return _engine.Draw(
        inverse_temperature(sampling),
        sampling.top_k,
        sampling.top_p,
        lowest(sampling),
        draw.seed % 2**64,
        draw.position,
        NO_TOKENS if penalties is None else penalties.tokens,
        NO_VALUES if penalties is None else penalties.values(logits),
        draw.allowed,
        sampling.logprobs,
    )


def sample_row(logits: Floats, draw: Draw) -> Choice:
    """The choice for one row [vocab_size]."""
    sampling = draw.sampling
    changed = logits
    if draw.penalties is not None:
        changed = logits.copy()
        changed[draw.penalties.tokens] = draw.penalties.values(logits)
    if not (changed < np.inf).all():
        return Choice(-1)
    if draw.allowed is not None:
        changed = np.where(unpack(draw.allowed, len(logits)), changed, np.float32(-np.inf))
    likeliest = changed.argmax()
    if not np.isfinite(changed[likeliest]):
        return Choice(-1)
    if inverse_temperature(sampling) == 0:
        token = int(likeliest)
    else:
        with np.errstate(over="ignore"):
            distances = (changed - changed[likeliest]) * inverse_temperature(sampling)
        kept = keep(distances, sampling)
        token = int((kept + gumbel(draw.seed, draw.position, len(kept))).argmax())
    if sampling.logprobs is None:
        return Choice(token)
    return describe(logits, token, sampling.logprobs)


def inverse_temperature(sampling: Sampling) -> np.float32:
    """What logits are multiplied by; 0 is greedy."""
    if sampling.temperature == 0 or sampling.top_k == 1:
        return GREEDY
    return np.float32(min(1 / sampling.temperature, MOST))


def lowest(sampling: Sampling) -> np.float32:
    """The distance to the likeliest below which min-p leaves a token out."""
    if sampling.min_p == 0:
        return ANY
    return np.float32(logarithm(np.array(sampling.min_p)))


def unpack(allowed: npt.NDArray[np.uint32], vocab_size: int) -> npt.NDArray[np.bool_]:
    """Bits as booleans [vocab_size]."""
    bits = np.unpackbits(allowed.astype("<u4").view(np.uint8), bitorder="little", count=vocab_size)
    return bits.astype(bool)


def keep(distances: Floats, sampling: Sampling) -> Floats:
    """Distances [vocab_size] with what top-k, top-p and min-p leave out at minus infinity.

    Each filter is judged on the distribution before any of them; the likeliest token, at distance
    0, always stays, and so do those as likely as one that stays.
    """
    least = lowest(sampling)
    if 0 < sampling.top_k <= len(distances):
        least = max(least, np.sort(distances)[-sampling.top_k])
    if sampling.top_p < 1:
        least = max(least, nucleus(distances, sampling.top_p))
    return np.where(distances >= least, distances, np.float32(-np.inf))


def nucleus(distances: Floats, share: float) -> np.float32:
    """The distance of the least likely token for which those likelier have less than `share`."""
    falling = np.sort(distances)[::-1]
    totals = weights(falling).cumsum()
    before = totals - weights(falling)
    kept = int((before < share * float(totals[-1])).sum())
    return falling[max(kept, 1) - 1]


def weights(distances: Floats) -> npt.NDArray[np.int64]:
    """Shares of the likeliest token's probability, in whole multiples of 2^-30.

    Sums of whole numbers do not depend on their order.
    """
    halvings = np.maximum(distances, np.float32(-83)) * -LOG2_E
    return (power(halvings) * np.float32(2**30)).astype(np.int64)


def describe(logits: Floats, token: int, alternatives: int) -> Choice:
    """A token with its log-probability and those of the likeliest, from logits [vocab_size]."""
    doubles = logits.astype(np.float64)
    highest = doubles.max()
    logprobs = doubles - (highest + np.log(np.exp(doubles - highest).sum()))
    order = np.argsort(-logits, kind="stable")[:alternatives].tolist()
    return Choice(token, float(logprobs[token]), [(i, float(logprobs[i])) for i in order])
