"""Tasks and tools, item by item."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from openhearth.bench.gate.items import paired, tools

ITEMS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(ITEMS)
def test_p_is_that_of_the_binomial_test(items: list[tuple[bool, bool]]) -> None:
    found = paired([ours for ours, _ in items], [theirs for _, theirs in items])
    assert found is not None
    differ = found.lost + found.won
    if differ:
        oracle = binomtest(found.lost, differ, 0.5, alternative="greater").pvalue
        assert found.p == pytest.approx(oracle, abs=1e-9)
    else:
        assert found.p == 1
    assert found.reference - found.served == pytest.approx((found.lost - found.won) / len(items))


def test_a_difference_is_told_from_chance_by_the_items_that_differ() -> None:
    worse = paired([False] * 6 + [True] * 44, [True] * 50)
    assert worse is not None
    assert worse.worse
    same = paired([True, False] * 25, [False, True] * 25)
    assert same is not None
    assert not same.worse


def test_more_items_find_smaller_differences() -> None:
    few, many = paired([True, False], [False, True]), paired([True, False] * 99, [False, True] * 99)
    assert few is not None
    assert many is not None
    assert many.detectable < few.detectable
    # Equation of the two-sided test at 5 % and 80 %: 2.8016 sqrt(1 / 198)
    assert many.detectable == pytest.approx(0.19910, abs=1e-4)


def test_no_items_are_nothing() -> None:
    assert paired([], []) is None


@pytest.mark.parametrize(
    ("called", "expected", "f1"),
    [([1, 1, 0], [1, 0, 0], 2 / 3), ([0, 0], [1, 1], 0.0), ([0, 0], [0, 0], 1.0), ([1], [1], 1.0)],
)
def test_f1_of_calls(called: list[int], expected: list[int], f1: float) -> None:
    found = tools([*map(bool, called)], [*map(bool, expected)], [True] * sum(called))
    assert found.trigger_f1 == pytest.approx(f1)
    assert found.valid == (1.0 if sum(called) else None)
