"""Agreement of log-probabilities: a divergence, its interval, and first choices."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.gate.agreement import Named, Place, agreement, divergence


@st.composite
def distributions(draw: st.DrawFn) -> Named:
    """The likeliest of a few tokens."""
    weights = draw(st.lists(st.floats(0.01, 1), min_size=2, max_size=6))
    named = {f"t{i}": math.log(w / sum(weights)) for i, w in enumerate(weights)}
    return dict(sorted(named.items(), key=lambda item: -item[1])[: draw(st.integers(1, 6))])


@given(distributions())
def test_equal_distributions_do_not_diverge(named: Named) -> None:
    assert divergence(named, named) == pytest.approx(0, abs=1e-12)


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=6), st.randoms())
def test_what_is_named_never_diverges_more_than_the_whole(
    weights: list[float], rng: np.random.Generator
) -> None:
    others = weights[::-1]
    p = {f"t{i}": math.log(w / sum(weights)) for i, w in enumerate(weights)}
    q = {f"t{i}": math.log(w / sum(others)) for i, w in enumerate(others)}
    whole = sum(math.exp(p[t]) * (p[t] - q[t]) for t in p)
    likeliest = sorted(q, key=lambda token: -q[token])
    some = {token: q[token] for token in likeliest[: max(1, len(q) // 2)]}
    assert divergence(p, some) <= whole + 1e-9
    assert divergence(p, q) == pytest.approx(whole, abs=1e-6)


def test_a_known_divergence() -> None:
    half = {"a": math.log(0.5), "b": math.log(0.5)}
    # By hand: 0.5 ln(0.5 / 0.8) + 0.5 ln(0.5 / 0.2) = 0.2231
    assert divergence(half, {"a": math.log(0.8), "b": math.log(0.2)}) == pytest.approx(
        0.22314, 1e-4
    )


def test_tokens_that_only_the_reference_names_count() -> None:
    reference = {"a": math.log(0.5), "b": math.log(0.4)}
    served = {"x": math.log(0.5), "y": math.log(0.3)}
    # Neither is likelier than what is left, 0.2: 0.5 ln 2.5 + 0.4 ln 2 + 0.1 ln 0.1
    assert divergence(reference, served) == pytest.approx(0.50514, 1e-4)


def test_rounded_and_impossible_values_are_finite() -> None:
    assert math.isfinite(divergence({"a": 0.0}, {"b": 0.0}))
    assert math.isfinite(divergence({"a": -9999.0}, {"a": 0.1}))


def test_the_interval_holds_the_truth_and_knows_that_places_of_an_answer_are_alike() -> None:
    rng = np.random.default_rng(0)
    places = []
    for answer in range(40):
        shift = rng.normal(0, 0.3)  # the same for all places of the answer
        for _ in range(10):
            a, b = math.log(0.6), math.log(0.6) + shift / 4
            places.append(Place(answer, {"a": b}, {"a": a}))
    found = agreement(places)
    assert found is not None
    assert found.kl_low < found.kl < found.kl_high
    one = agreement([Place(i, p.served, p.reference) for i, p in enumerate(places)])
    assert one is not None
    assert found.kl_high - found.kl_low > one.kl_high - one.kl_low
    assert (found.places, found.answers) == (400, 40)


def test_first_choices_count_where_the_reference_is_sure() -> None:
    sure = {"a": math.log(0.6), "b": math.log(0.4)}
    tie = {"a": math.log(0.5), "b": math.log(0.5) - 1e-4}
    other = {"b": math.log(0.6), "a": math.log(0.4)}
    found = agreement([Place(0, other, tie), Place(0, sure, sure), Place(1, other, sure)])
    assert found is not None
    assert (found.decided, found.missed) == (2, 1)
    assert found.first == pytest.approx(1 / 3)
    assert found.overlap == 1


def test_no_places_are_nothing() -> None:
    assert agreement([]) is None
