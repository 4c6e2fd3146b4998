"""Our K-quants: what the `gguf` package reads in them, and how near that is."""

from __future__ import annotations

from collections.abc import Callable

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from openhearth.models.k_quants import AT_ONCE, BLOCK, K_QUANTS, quantize

BITS = {"Q4_K": 4.5, "Q6_K": 6.5625}
kinds = pytest.mark.parametrize("kind", K_QUANTS)


def back(packed: np.ndarray, kind: str) -> np.ndarray:
    return gguf.dequantize(packed, gguf.GGMLQuantizationType[kind])


def error(values: np.ndarray, kind: str) -> float:
    """Relative, of ours, or of another type as the package writes it."""
    type_ = gguf.GGMLQuantizationType[kind]
    packed = quantize(values, kind) if kind in K_QUANTS else gguf.quantize(values, type_)
    return float(np.linalg.norm(back(packed, kind) - values) / np.linalg.norm(values))


@kinds
@given(
    arrays.arrays(
        np.float32, (2, BLOCK), elements=st.floats(-100, 100, width=32, allow_subnormal=False)
    )
)
def test_no_number_is_farther_off_than_the_steps_of_its_block(
    kind: str, values: np.ndarray
) -> None:
    """Levels are `range / most` apart, and what rounding the scales adds is half of that at most.
    Units are halves, none of which is between 0 and 6e-8.
    """
    found = back(quantize(values, kind), kind)
    reach = np.abs(values).max(-1, keepdims=True)
    step = {"Q4_K": 2 * reach / 15, "Q6_K": reach / 32}[kind]
    assert (np.abs(found - values) <= 1.5 * step + 1e-3 * reach + 6e-8 * 32 * 128).all()


@kinds
def test_it_is_nearer_than_simpler_types_of_as_many_bits(kind: str) -> None:
    rng = np.random.default_rng(0)
    draws: list[Callable[..., np.ndarray]] = [rng.normal, rng.laplace]
    for draw in draws:
        values = draw(0, 0.05, (64, 4 * BLOCK)).astype(np.float32)
        simple = {"Q4_K": "Q4_0", "Q6_K": "Q5_1"}[kind]
        assert error(values, kind) < 0.9 * error(values, simple)
    assert error(values, "Q6_K") < 0.03


def test_numbers_far_from_zero_are_kept_by_a_lowest_one() -> None:
    values = np.random.default_rng(0).normal(-3, 0.1, (8, BLOCK)).astype(np.float32)
    assert error(values, "Q4_K") < 0.5 * error(values, "Q4_0")


@kinds
def test_a_row_of_one_number_stays(kind: str) -> None:
    for value in (0.0, 1.0, -0.37, 0.1):
        values = np.full((3, BLOCK), value, np.float32)
        np.testing.assert_allclose(back(quantize(values, kind), kind), values, rtol=2e-3)


@kinds
def test_blocks_do_not_depend_on_others(kind: str) -> None:
    values = np.random.default_rng(0).normal(size=(AT_ONCE + 1, BLOCK)).astype(np.float32)
    packed = quantize(values, kind)
    assert packed.nbytes * 8 == BITS[kind] * values.size
    np.testing.assert_array_equal(packed[-1:], quantize(values[-1:], kind))
    wide = quantize(values[:6].reshape(2, -1), kind)
    np.testing.assert_array_equal(wide.reshape(6, -1), packed[:6])


@kinds
def test_what_was_packed_is_packed_alike_again(kind: str) -> None:
    """Expanding and packing once more loses little: the grid is found again, nearly."""
    values = np.random.default_rng(0).normal(size=(16, BLOCK)).astype(np.float32)
    once = back(quantize(values, kind), kind)
    assert error(once, kind) < 0.25 * error(values, kind)
