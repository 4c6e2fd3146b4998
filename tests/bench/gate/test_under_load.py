"""Answers under load against those alone: one model is not accused, another is found."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.bench.gate.two_sample import two_sample
from openhearth.bench.gate.under_load import UnderLoad, compare_greedy

NINE = 2.0**-9  # of nine signs that are all the same


def texts(word: str, count: int = 20) -> dict[int, str]:
    return {number: f"{word} {number}" for number in range(count)}


def test_equal_answers_are_one_model_s() -> None:
    found = compare_greedy(texts("river"), texts("river"), texts("river"))
    assert found is not None
    assert (found.questions, found.less, found.more, found.p) == (20, 0, 0, 1.0)


def test_another_model_under_load_is_found_by_nine_answers() -> None:
    found = compare_greedy(texts("stone", 9), texts("river", 9), texts("river", 9))
    assert found is not None
    assert found.p == pytest.approx(NINE)
    assert UnderLoad(None, found).found
    eight = compare_greedy(texts("stone", 8), texts("river"), texts("river"))
    assert not UnderLoad(None, eight).found


def test_a_tenth_of_the_answers_may_change_in_a_batch() -> None:
    honest = texts("river", 100)
    found = compare_greedy(honest | texts("stone", 10), honest, honest)
    assert found is not None
    assert (found.less, found.more) == (10, 0)
    assert found.p > 0.4


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.floats(0.05, 0.9))
def test_one_model_whose_answers_change_is_seldom_accused(seed: int, share: float) -> None:
    """Either answer leaves the reference's as often; a third of 1 % of servers is accused."""
    rng = random.Random(seed)

    def answers() -> dict[int, str]:
        return {n: "stone" if rng.random() < share else "river" for n in range(40)}

    accused = 0
    for _ in range(40):
        found = compare_greedy(answers(), answers(), dict.fromkeys(range(40), "river"))
        assert found is not None
        accused += UnderLoad(None, found).found
    assert accused <= 3  # four of 40 at a third of 1 % come once in 100,000 times


def test_nothing_in_common_tells_nothing() -> None:
    assert compare_greedy({}, texts("river"), texts("river")) is None


def test_two_tests_are_corrected_for() -> None:
    samples = {prompt: [f"{prompt} one", f"{prompt} two"] for prompt in range(4)}
    greedy = compare_greedy(texts("stone", 9), texts("river", 9), texts("river", 9))
    both = UnderLoad(two_sample(samples, samples), greedy)
    assert both.p == pytest.approx(2 * NINE)
    assert not both.found
