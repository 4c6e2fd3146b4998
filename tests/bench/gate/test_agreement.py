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
    assert divergence(Place(0, named, named, "t0")) == pytest.approx(0, abs=1e-12)


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=6), st.data())
def test_what_is_named_never_diverges_more_than_the_whole(
    weights: list[float], data: st.DataObject
) -> None:
    others = data.draw(st.permutations(weights))
    p = {f"t{i}": math.log(w / sum(weights)) for i, w in enumerate(weights)}
    q = {f"t{i}": math.log(w / sum(others)) for i, w in enumerate(others)}
    whole = sum(math.exp(p[t]) * (p[t] - q[t]) for t in p)
    drawn = data.draw(st.sampled_from(sorted(q)))
    likeliest = sorted(q, key=lambda token: -q[token])[: max(1, len(q) // 2)]
    for named in (likeliest, [*likeliest[:-1], drawn], [*likeliest, drawn]):
        some = {token: q[token] for token in named}
        assert divergence(Place(0, some, p, drawn)) <= whole + 1e-9
    assert divergence(Place(0, q, p, drawn)) == pytest.approx(whole, abs=1e-6)


def test_a_server_that_names_what_it_drew_in_place_of_the_least_likely_is_no_further() -> None:
    # As vLLM does: of the five likeliest it names four, and the token that it drew.
    chances = [0.3, 0.2, 0.15, 0.1, 0.09, 0.08, 0.05, 0.03]
    reference = {f"t{i}": math.log(chance) for i, chance in enumerate(chances)}
    served = {token: reference[token] for token in ("t0", "t1", "t2", "t3", "t7")}
    assert divergence(Place(0, served, reference, "t7")) == pytest.approx(0, abs=1e-9)


def test_a_token_told_without_a_text_may_be_any_that_the_reference_names() -> None:
    # As llama.cpp's server does with special tokens.
    reference = {"<end>": math.log(0.5), "a": math.log(0.3), "b": math.log(0.1)}
    served = {"a": math.log(0.3), "b": math.log(0.1)}
    assert divergence(Place(0, served, reference, "a", 0.5)) == pytest.approx(0, abs=1e-9)
    # A text that is not named otherwise is no likelier than the least: 0.5 ln(0.5 / 0.3) - ...
    assert divergence(Place(0, served, reference, "a")) > 0.1


def test_a_known_divergence() -> None:
    half = {"a": math.log(0.5), "b": math.log(0.5)}
    # By hand: 0.5 ln(0.5 / 0.8) + 0.5 ln(0.5 / 0.2) = 0.2231
    served = {"a": math.log(0.8), "b": math.log(0.2)}
    assert divergence(Place(0, served, half, "a")) == pytest.approx(0.22314, 1e-4)


def test_tokens_that_only_the_reference_names_count() -> None:
    reference = {"a": math.log(0.5), "b": math.log(0.4)}
    served = {"x": math.log(0.5), "y": math.log(0.3)}
    # Neither is likelier than what is left, 0.2: 0.5 ln 2.5 + 0.4 ln 2 + 0.1 ln 0.1
    assert divergence(Place(0, served, reference, "x")) == pytest.approx(0.50514, 1e-4)


def test_rounded_and_impossible_values_are_finite() -> None:
    assert math.isfinite(divergence(Place(0, {"b": 0.0}, {"a": 0.0}, "b")))
    assert math.isfinite(divergence(Place(0, {"a": 0.1}, {"a": -9999.0}, "a")))


def test_the_interval_holds_the_truth_and_knows_that_places_of_an_answer_are_alike() -> None:
    rng = np.random.default_rng(0)
    places = []
    for answer in range(40):
        shift = rng.normal(0, 0.3)  # the same for all places of the answer
        for _ in range(10):
            a, b = math.log(0.6), math.log(0.6) + shift / 4
            places.append(Place(answer, {"a": b}, {"a": a}, "a"))
    found = agreement(places)
    assert found is not None
    assert found.kl_low < found.kl < found.kl_high
    one = agreement([Place(i, p.served, p.reference, p.drawn) for i, p in enumerate(places)])
    assert one is not None
    assert found.kl_high - found.kl_low > one.kl_high - one.kl_low
    assert (found.places, found.answers) == (400, 40)


def test_first_choices_count_where_the_reference_is_sure() -> None:
    sure = {"a": math.log(0.6), "b": math.log(0.4)}
    tie = {"a": math.log(0.5), "b": math.log(0.5) - 1e-4}
    other = {"b": math.log(0.6), "a": math.log(0.4)}
    pairs = [(0, other, tie), (0, sure, sure), (1, other, sure)]
    found = agreement([Place(*pair, drawn="a") for pair in pairs])
    assert found is not None
    assert (found.decided, found.missed) == (2, 1)
    assert found.first == pytest.approx(1 / 3)
    assert found.overlap == 1


def test_no_places_are_nothing() -> None:
    assert agreement([]) is None
