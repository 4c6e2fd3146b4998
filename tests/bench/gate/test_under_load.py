"""Answers under load against those alone: one model is not accused, another is found."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.bench.gate.two_sample import two_sample
from openhearth.bench.gate.under_load import Greedy, UnderLoad, compare_greedy

TWELVE = 2.0**-12  # of twelve of which one of two is the first each time


def texts(word: str, count: int = 20, times: int = 1) -> dict[int, list[str]]:
    return {number: [f"{word} {number}"] * times for number in range(count)}


def compared(loaded: Mapping[int, list[str]], alone: Mapping[int, list[str]]) -> Greedy:
    """Where a reference says what the model does alone."""
    found = compare_greedy(loaded, alone, alone)
    assert found is not None
    return found


def test_equal_answers_are_one_model_s() -> None:
    found = compared(texts("river", times=3), texts("river"))
    assert (found.questions, found.less, found.more, found.p) == (20, 0, 0, 1.0)


def test_another_model_under_load_is_found_by_twelve_answers() -> None:
    found = compared(texts("stone", 12), texts("river", 12))
    assert (found.less, found.more) == (12, 0)
    assert found.p == pytest.approx(TWELVE, abs=3e-4)  # of 10,000 permutations
    assert UnderLoad(None, {"prompt": found}).found
    seven = compared(texts("stone", 7), texts("river", 7))
    assert seven.p == pytest.approx(2.0**-7, abs=4e-3)
    assert not UnderLoad(None, {"prompt": seven}).found


def test_fewer_questions_do_if_each_is_asked_often() -> None:
    found = compared(texts("stone", 4, times=9), texts("river", 4))
    assert found.p == pytest.approx(10.0**-4, abs=4e-4)
    assert UnderLoad(None, {"prompt": found}).found


def test_a_model_that_answers_more_like_the_reference_is_no_other() -> None:
    found = compare_greedy(texts("river", times=5), texts("stone"), texts("river"))
    assert found is not None
    assert (found.less, found.more, found.p) == (0, 20, 1.0)


def test_a_tenth_of_the_answers_may_change_in_a_batch() -> None:
    honest = texts("river", 100, times=4)
    found = compared(honest | texts("stone", 10, times=4), honest)
    assert (found.less, found.more) == (10, 0)
    assert found.p > 0.4


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.floats(0.05, 0.9), st.integers(1, 4))
def test_one_model_whose_answers_change_is_seldom_accused(
    seed: int, share: float, times: int
) -> None:
    """Whichever leaves the reference's, under load or alone; a third of 1 % is accused."""
    rng, reference = random.Random(seed), {number: ["river"] for number in range(40)}

    def answers(times: int) -> dict[int, list[str]]:
        def answer() -> str:
            return "stone" if rng.random() < share else "river"

        return {n: [answer() for _ in range(times)] for n in range(40)}

    accused = 0
    for _ in range(40):
        found = compare_greedy(answers(times), answers(1), reference)
        assert found is not None
        accused += UnderLoad(None, {"prompt": found}).found
    assert accused <= 3  # four of 40 at a third of 1 % come once in 100,000 times


def test_nothing_in_common_tells_nothing() -> None:
    assert compare_greedy({}, texts("river"), texts("river")) is None


def test_all_tests_are_corrected_for() -> None:
    samples = {prompt: [f"{prompt} one", f"{prompt} two"] for prompt in range(4)}
    other, same = (compared(texts(word, 8), texts("river", 8)) for word in ("stone", "river"))
    both = UnderLoad(two_sample(samples, samples), {"prompt": other, "question": same})
    assert both.p == pytest.approx(3 * other.p)
    assert not both.found
