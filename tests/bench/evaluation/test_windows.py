"""Each token is predicted once, after as much text as is promised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.evaluation.windows import fitted, windows
from openhearth.errors import UsageError


@given(st.lists(st.integers(1, 99), max_size=60), st.integers(2, 20), st.data())
def test_each_token_once_after_enough_text(
    tokens: list[int], most: int, data: st.DataObject
) -> None:
    kept = data.draw(st.integers(1, most))
    found = windows(0, tokens, most, kept)
    assert [token for one in found for token in one.tokens] == tokens
    stream, done = [0, *tokens], 1
    for number, one in enumerate(found):
        assert len(one.read) <= most
        assert list(one.before) == stream[done - len(one.before) : done]
        assert len(one.before) >= (kept if number else 1)
        done += len(one.tokens)


def test_a_text_that_fits_is_one_window() -> None:
    (one,) = windows(7, [1, 2, 3], 3, 1)
    assert (one.before, one.tokens, one.read) == ((7,), (1, 2, 3), (7, 1, 2))


def test_as_lm_eval_has_them() -> None:
    """The example of `LM.loglikelihood_rolling` in lm-eval 0.4.13."""
    first, second, third = windows(-1, range(10), 4, 1)
    assert (first.read, first.tokens) == ((-1, 0, 1, 2), (0, 1, 2, 3))
    assert (second.read, second.tokens) == ((3, 4, 5, 6), (4, 5, 6, 7))
    assert (third.read, third.tokens) == ((5, 6, 7, 8), (8, 9))


def test_what_does_not_fit_before_a_continuation_is_left_out() -> None:
    one = fitted([1, 2, 3, 4], [5, 6], 3)
    assert (one.before, one.tokens) == ((3, 4), (5, 6))
    with pytest.raises(UsageError, match="3 tokens does not fit a context of 2"):
        fitted([1], [2, 3, 4], 2)
