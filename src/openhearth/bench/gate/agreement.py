"""How far are the served model's log-probabilities from the reference's? (rule 32)

Both speak of the same next token after the same text. An API names only the likeliest tokens, so
what is told is a lower bound of the Kullback-Leibler divergence: never more than that of the whole
distributions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

LEAST = 1e-9  # of a probability that is given as zero: APIs round
SURE = 1e-3  # difference of log-probabilities beyond which a first choice is no tie (rule 40)
RESAMPLES = 1000

Named = Mapping[str, float]  # token -> log-probability, the likeliest tokens of one place


@dataclass(frozen=True)
class Place:
    """One next token, of the answer with that number: those of one answer are alike.

    The served model's answer has `drawn` there. `hidden` is the chance of the likeliest token that
    it told without a text, 0 if it told none so.
    """

    answer: int
    served: Named
    reference: Named
    drawn: str
    hidden: float = 0.0


@dataclass(frozen=True)
class Agreement:
    """`kl` in nats. `first` is the share of equal first choices, `overlap` that of named tokens;
    `decided` are the places where the reference is sure, `missed` those of them with another first.
    """

    kl: float
    kl_low: float
    kl_high: float
    kl_p99: float
    first: float
    overlap: float
    decided: int
    missed: int
    places: int
    answers: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def agreement(places: Sequence[Place], seed: int = 0) -> Agreement | None:
    """Compare place by place; intervals come from resampling answers. None of no places."""
    if not places:
        return None
    kls = np.array([divergence(place) for place in places])
    low, high = _interval(kls, np.array([place.answer for place in places]), seed)
    sure = [place for place in places if _lead(place.reference) > SURE]
    return Agreement(
        kl=float(kls.mean()),
        kl_low=low,
        kl_high=high,
        kl_p99=float(np.quantile(kls, 0.99, method="inverted_cdf")),
        first=float(np.mean([_first(p.served) == _first(p.reference) for p in places])),
        overlap=float(np.mean([_overlap(p.served, p.reference) for p in places])),
        decided=len(sure),
        missed=sum(_first(place.served) != _first(place.reference) for place in sure),
        places=len(places),
        answers=len({place.answer for place in places}),
    )


def divergence(place: Place) -> float:
    """KL(reference ‖ served) in nats, as much of it as is certain: the larger of two lower bounds.

    One takes the tokens that both name, and all others as one. The other takes those that the
    reference names, of which one that the served model does not name is no likelier to it than the
    least likely that it does: not counting the drawn one, which servers name in any case, and
    unless it is one of those without a text.
    """
    return max(0.0, _of_both(place), _of_reference(place))


def _of_both(place: Place) -> float:
    both = sorted(set(place.reference) & set(place.served))
    p = [chance(place.reference[token]) for token in both]
    q = [chance(place.served[token]) for token in both]
    return _kl([*p, 1 - sum(p)], [*q, 1 - sum(q)])


def _of_reference(place: Place) -> float:
    served, named = place.served, sorted(place.reference)
    known = sum(chance(served[token]) for token in named if token in served)
    least = min((chance(served[token]) for token in served if token != place.drawn), default=1.0)
    most = min(max(least, place.hidden), 1 - sum(map(chance, served.values())))
    p = [chance(place.reference[token]) for token in named]
    q = [chance(served[token]) if token in served else most for token in named]
    return _kl([*p, 1 - sum(p)], [*q, 1 - known])


def _kl(p: Sequence[float], q: Sequence[float]) -> float:
    pairs = ((max(a, 0.0), max(b, LEAST)) for a, b in zip(p, q, strict=True))
    return sum(a * math.log(max(a, LEAST) / b) for a, b in pairs)


def chance(logprob: float) -> float:
    """The probability; 1 of what is no logarithm of one."""
    return math.exp(min(0.0, logprob))


def _first(named: Named) -> str:
    return max(named, key=lambda token: (named[token], token))


def _lead(named: Named) -> float:
    """By how much the first choice leads; endless if only one is named."""
    values = sorted(named.values(), reverse=True)
    return values[0] - values[1] if len(values) > 1 else math.inf


def _overlap(one: Named, other: Named) -> float:
    return len(set(one) & set(other)) / max(1, min(len(one), len(other)))


def _interval(values: np.ndarray, answers: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % of the mean, by resampling whole answers."""
    _, which = np.unique(answers, return_inverse=True)
    sums, counts = np.bincount(which, values), np.bincount(which)
    draws = np.random.default_rng(seed).integers(0, len(sums), (RESAMPLES, len(sums)))
    low, high = np.quantile(sums[draws].sum(axis=1) / counts[draws].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)
