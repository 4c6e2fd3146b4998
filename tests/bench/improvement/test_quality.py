"""Did it get better: the measures against an oracle, the interval against known cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import CHRF

from openhearth.bench import bits_per_byte, chrf, overlap
from openhearth.errors import UsageError

ORACLE = CHRF(char_order=6, word_order=0, beta=1)
# The oracle leaves out orders that one of the texts lacks; six characters have them all.
TEXT = st.text("abc de", min_size=6).filter(lambda text: len("".join(text.split())) >= 6)


@given(TEXT, TEXT)
def test_chrf_is_that_of_sacrebleu(text: str, reference: str) -> None:
    expected = ORACLE.sentence_score(text, [reference]).score / 100
    assert chrf(text, reference) == pytest.approx(expected, abs=1e-9)


@given(st.text(max_size=40), st.text(max_size=40))
def test_chrf_is_symmetric_and_from_zero_to_one(one: str, two: str) -> None:
    assert 0 <= chrf(one, two) <= 1
    assert chrf(one, two) == pytest.approx(chrf(two, one))  # precision and recall weigh the same
    assert chrf(one, one) == pytest.approx(1)


def test_nothing_in_common_and_nothing_at_all() -> None:
    assert chrf("abc", "xyz") == 0
    assert chrf("", "xyz") == 0
    assert chrf("", "") == 1


def nats(*values: float) -> np.ndarray:
    """Losses of an answer's tokens, then one for its end, which must not count."""
    return np.array([*values, 99.0], dtype=np.float32)


def test_bits_per_byte_is_all_bits_over_all_bytes() -> None:
    two = math.log(2)
    base = [nats(two, two), nats(4 * two)]
    tuned = [nats(two), nats(two)]
    compared = bits_per_byte(["a", "b"], base, tuned, [2, 1])
    assert compared.base == pytest.approx((2 + 4) / 3)
    assert compared.tuned == pytest.approx((1 + 1) / 3)
    assert (compared.sources, compared.examples) == (2, 2)


def test_a_difference_that_is_the_same_everywhere_has_no_width() -> None:
    base = [nats(2.0 + i) for i in range(8)]
    tuned = [nats(1.5 + i) for i in range(8)]
    compared = bits_per_byte([f"s{i % 4}" for i in range(8)], base, tuned, [10] * 8)
    step = 0.5 / 10 / math.log(2)
    assert compared.tuned_ci == pytest.approx((compared.base - step,) * 2)
    assert compared.tuned == pytest.approx(compared.base - step)


def test_what_is_better_in_half_the_sources_is_not_better_beyond_the_interval() -> None:
    signs = [1, -1] * 6
    compared = bits_per_byte(
        [f"s{i}" for i in range(12)],
        [nats(5.0)] * 12,
        [nats(5.0 + sign) for sign in signs],
        [10] * 12,
    )
    low, high = compared.tuned_ci
    assert low < compared.base < high


def test_the_interval_has_the_width_of_the_spread_between_sources() -> None:
    """40 sources, differences with standard deviation 1: 1.96 / sqrt(40) to each side."""
    difference = np.random.default_rng(1).normal(-2, 1, 40)
    base = [nats(10.0)] * 40
    tuned = [nats(10.0 + d) for d in difference]
    compared = bits_per_byte([f"s{i}" for i in range(40)], base, tuned, [1] * 40)
    low, high = (x * math.log(2) - 10 for x in compared.tuned_ci)
    half = 1.96 * difference.std() / math.sqrt(40)
    assert (high - low) / 2 == pytest.approx(half, rel=0.08)
    assert (high + low) / 2 == pytest.approx(difference.mean(), abs=0.05)


def test_examples_of_one_source_count_as_one_witness() -> None:
    """Ten times the same examples in each source must not narrow the interval."""
    difference = [-1.0, 0.5, -2.0, 1.0, -0.5, 0.2]
    names = [f"s{i}" for i in range(6)]

    def compare(times: int):
        tuned = [nats(5.0 + d) for d in difference] * times
        return bits_per_byte(names * times, [nats(5.0)] * 6 * times, tuned, [1] * 6 * times)

    assert compare(10).tuned_ci == pytest.approx(compare(1).tuned_ci)


def test_overlap_is_the_mean_of_chrf() -> None:
    truth = ["Return the sum.", "Close the file."]
    compared = overlap(["a", "b"], ["Return it.", "x"], truth, truth)
    assert compared.tuned == pytest.approx(1)
    assert compared.base == pytest.approx((chrf("Return it.", truth[0]) + chrf("x", truth[1])) / 2)


def test_one_source_is_too_few() -> None:
    with pytest.raises(UsageError, match="curate more text"):
        overlap(["a", "a"], ["x"] * 2, ["y"] * 2, ["z"] * 2)
