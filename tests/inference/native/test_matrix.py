"""Weights into the layout of the kernels: exactly where a format can hold them."""

from __future__ import annotations

import gguf
import numpy as np
import pytest

from openhearth.inference.native import _engine
from openhearth.models.weights import Packed

if _engine is None:
    pytest.skip("the extension was not built", allow_module_level=True)
from openhearth.inference.native.weights import format_of

TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
SCALES = {"Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}  # bytes of a super block
ROWS, INPUTS = 21, 512


def source(name: str) -> tuple[int, np.ndarray, np.ndarray]:
    """Rows of a type with random bits, and what the `gguf` package says that they are."""
    kind = gguf.GGMLQuantizationType[name]
    random = np.random.default_rng(len(name))
    values = random.normal(size=(ROWS, INPUTS)).astype(np.float32)
    if name in SCALES:  # which the package cannot make: random bytes, but sound scales
        unit = gguf.GGML_QUANT_SIZES[kind][1]
        rows = random.integers(0, 256, (ROWS, INPUTS // 256 * unit), dtype=np.uint8)
        for at in SCALES[name]:
            half = random.uniform(0.001, 0.02, (ROWS, INPUTS // 256)).astype(np.float16)
            rows.reshape(ROWS, -1, unit)[:, :, at : at + 2] = half.view(np.uint8).reshape(
                ROWS, -1, 2
            )
    else:
        rows = gguf.quantize(values, kind).view(np.uint8).reshape(ROWS, -1)
    meant = gguf.dequantize(rows.view(np.float32) if name == "F32" else rows, kind)
    if name == "F16":
        meant = rows.view(np.float16).astype(np.float32)
    return int(kind), rows, meant.reshape(ROWS, INPUTS)


def packed(name: str, kind: object) -> tuple[np.ndarray, np.ndarray]:
    number, rows, meant = source(name)
    order = np.random.default_rng(0).permutation(ROWS).astype(np.int32)
    matrix = _engine.Matrix(kind, ROWS, INPUTS)
    matrix.fill(number, rows, order, 3)
    return matrix.dequantised()[order], meant


@pytest.mark.parametrize("name", TYPES)
def test_sources_are_read_as_their_format_says(name: str) -> None:
    found, meant = packed(name, _engine.Format.FP32)
    np.testing.assert_allclose(found, meant, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "kind", "tolerance"),
    [
        ("Q4_0", "INT4", 0),
        ("Q4_1", "INT4_MIN", 0),
        ("Q8_0", "INT8", 0),
        ("BF16", "BF16", 0),
        ("Q4_K", "INT4_MIN", 2**-10),  # its scales are products, rounded to sixteen bits
    ],
)
def test_what_a_format_can_hold_stays(name: str, kind: str, tolerance: float) -> None:
    found, meant = packed(name, getattr(_engine.Format, kind))
    np.testing.assert_allclose(found, meant, rtol=0, atol=tolerance * np.abs(meant).max() * 2)


@pytest.mark.parametrize(
    ("name", "kind", "step", "mean"),
    [
        ("F16", "BF16", 2**-7, 2e-3),
        ("Q5_0", "INT8", 1 / 124.9, 6e-3),
        ("Q5_1", "INT8", 1 / 124.9, 6e-3),
        ("Q5_K", "INT8", 1 / 124.9, 6e-3),
        ("Q6_K", "INT8", 1 / 124.9, 6e-3),
    ],
)
def test_what_no_format_holds_is_rounded_by_auto(
    name: str, kind: str, step: float, mean: float
) -> None:
    """By half a step of a block's largest weight at most, and `mean` of the root mean square."""
    number, rows, _ = source(name)
    kept = format_of([Packed(number, rows, np.arange(ROWS))], "auto")
    assert kept == getattr(_engine.Format, kind)
    found, meant = packed(name, kept)
    error, blocks = (found - meant).reshape(-1, 32), meant.reshape(-1, 32)
    assert (np.abs(error) <= 1.001 * step / 2 * np.abs(blocks).max(-1, keepdims=True)).all()
    assert 0 < np.sqrt(np.square(error).mean() / np.square(blocks).mean()) < mean


@pytest.mark.parametrize(
    ("kind", "steps"), [("INT4", 14), ("INT4_MIN", 15), ("INT8", 254), ("BF16", 2**8)]
)
def test_what_it_cannot_hold_is_near(kind: str, steps: int) -> None:
    found, meant = packed("F32", getattr(_engine.Format, kind))
    blocks = meant.reshape(-1, 32)
    wide = 2 * np.abs(blocks).max(-1, keepdims=True)
    # Half a step away, and a little more where scales are rounded or fit the whole block.
    assert (np.abs(found.reshape(-1, 32) - blocks) <= 1.2 * wide / steps).all()


def test_eight_bits_miss_less_than_by_their_peak() -> None:
    found, meant = packed("F32", _engine.Format.INT8)
    theirs = gguf.dequantize(
        gguf.quantize(meant, gguf.GGMLQuantizationType.Q8_0), gguf.GGMLQuantizationType.Q8_0
    )
    assert ((found - meant) ** 2).sum() < 0.9 * ((theirs - meant) ** 2).sum()


def test_four_bits_are_fitted_better_than_by_their_peak() -> None:
    found, meant = packed("F32", _engine.Format.INT4)
    theirs = gguf.dequantize(
        gguf.quantize(meant, gguf.GGMLQuantizationType.Q4_0), gguf.GGMLQuantizationType.Q4_0
    )
    assert ((found - meant) ** 2).sum() < ((theirs - meant) ** 2).sum()


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(wrong: float) -> None:
    rows = np.zeros((2, 64), np.float32)
    rows[1, 3] = wrong
    matrix = _engine.Matrix(_engine.Format.INT8, 2, 64)
    with pytest.raises(ValueError, match="finite"):
        matrix.fill(0, rows.view(np.uint8), np.arange(2, dtype=np.int32))


def test_rows_that_do_not_fit_are_refused() -> None:
    matrix = _engine.Matrix(_engine.Format.INT8, 2, 64)
    rows = np.zeros((2, 256), np.uint8)
    with pytest.raises(ValueError, match="fit"):
        matrix.fill(0, rows[:, :255].copy(), np.arange(2, dtype=np.int32))
    with pytest.raises(ValueError, match="fit"):
        matrix.fill(99, rows, np.arange(2, dtype=np.int32))
    with pytest.raises(ValueError, match="outside"):
        matrix.fill(0, rows, np.array([0, 2], np.int32))
