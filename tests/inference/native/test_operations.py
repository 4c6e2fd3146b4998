"""Each operation against its definition, on every kind of kernels, which agree to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.inference.native import _engine
from tests.inference.native import plain

if _engine is None:
    pytest.skip("the extension was not built", allow_module_level=True)
from openhearth.inference.native.attention import halves

FORMATS = ["INT4", "INT4_MIN", "INT8", "BF16", "FP32"]
EVERYTHING = 2**31 - 1


def matrix(values: np.ndarray, kind: str = "FP32") -> Any:
    made = _engine.Matrix(getattr(_engine.Format, kind), *values.shape)
    rows = np.ascontiguousarray(values, np.float32).view(np.uint8)
    made.fill(0, rows, np.arange(len(values), dtype=np.int32))
    return made


def int32(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def on_all_kinds(x: np.ndarray, width: int, build: Callable[[Any, Any, Any], None]) -> np.ndarray:
    """What an operation makes of rows x [rows, inputs]: the rows are the table of an embedding.

    `build(program, x, y)` adds it.
    """
    results = []
    for kind in _engine.kinds():
        for threads in (1, 3):
            program = _engine.Program(kind, threads)
            a, b = program.buffer(x.shape[1]), program.buffer(width)
            program.embed(matrix(x), 1.0, None, a)
            program.embed(matrix(np.zeros((len(x), width))), 1.0, None, b)
            build(program, a, b)
            out = program.buffer(width, wanted=True)
            program.gather(b, out)
            rows = np.arange(len(x), dtype=np.int32)
            pages = rows[: -(-len(x) // _engine.PAGE)][::-1].copy()
            results.append(
                program.run(
                    out,
                    rows,
                    int32(len(x)),
                    int32(0),
                    pages,
                    int32(len(pages)),
                    int32(0),
                    int32(-1),
                    rows,
                )
            )
    for other in results[1:]:
        assert np.array_equal(results[0], other, equal_nan=True)
    return results[0]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("rows", [1, 3, 4, 5, 17, 40])
def test_products(kind: str, rows: int) -> None:
    random = np.random.default_rng(rows)
    x, w = random.normal(size=(rows, 96)), random.normal(size=(80, 96))
    bias = random.normal(size=80).astype(np.float32)
    packed = matrix(w, kind)
    found = on_all_kinds(
        x, 80, lambda p, a, b: p.linear(a, None, packed, bias, _engine.Use.STORE, b)
    )
    seen = x.astype(np.float32) if kind in ("BF16", "FP32") else plain.quantised(x)
    expected = seen.astype(np.float64) @ packed.dequantised().T.astype(np.float64) + bias
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def test_products_after_a_norm_are_added() -> None:
    random = np.random.default_rng(1)
    x, w = random.normal(size=(6, 64)), random.normal(size=(64, 64))
    weight = random.normal(size=64).astype(np.float32)

    def build(p: Any, a: Any, b: Any) -> None:
        p.linear(a, (weight, None, 1e-5), matrix(w), None, _engine.Use.STORE, b)
        p.linear(a, None, matrix(w), None, _engine.Use.ADD, b)

    found = on_all_kinds(x, 64, build)
    expected = (plain.rms_norm(x, weight, 1e-5) + x) @ w.T
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("use", "gate"),
    [
        ("SILU_PRODUCT", plain.silu),
        ("GELU_PRODUCT", plain.gelu),
        ("GELU_TANH_PRODUCT", plain.gelu_tanh),
    ],
)
def test_gates(use: str, gate: Callable[[np.ndarray], np.ndarray]) -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=(7, 32))
    w, u = random.normal(size=(2, 48, 32))
    both = np.stack([w.reshape(3, 16, 32), u.reshape(3, 16, 32)], 1).reshape(96, 32)
    found = on_all_kinds(
        x, 48, lambda p, a, b: p.linear(a, None, matrix(both), None, getattr(_engine.Use, use), b)
    )
    np.testing.assert_allclose(found, gate(x @ w.T) * (x @ u.T), rtol=0, atol=1e-4)


def test_norms_before_adding() -> None:
    random = np.random.default_rng(3)
    x, weight = random.normal(size=(5, 64)), random.normal(size=64).astype(np.float32)
    found = on_all_kinds(x, 64, lambda p, a, b: p.add_norm(a, (weight, None, 1e-6), b))
    np.testing.assert_allclose(found, plain.rms_norm(x, weight, 1e-6), rtol=0, atol=1e-5)


def test_rows_are_added_as_they_are() -> None:
    x = np.random.default_rng(3).normal(size=(5, 64)).astype(np.float32)
    assert np.array_equal(on_all_kinds(x, 64, lambda p, a, b: p.add_norm(a, None, b)), x)


@pytest.mark.parametrize("most", [1.0, 30.0])
def test_caps(most: float) -> None:
    x = np.linspace(-100, 100, 640, dtype=np.float32).reshape(10, 64)

    def build(p: Any, a: Any, b: Any) -> None:
        p.add_norm(a, None, b)
        p.cap(b, most)

    expected = most * np.tanh(x.astype(np.float64) / most)
    np.testing.assert_allclose(on_all_kinds(x, 64, build), expected, rtol=0, atol=2e-7 * most)


def test_norms_in_place() -> None:
    random = np.random.default_rng(4)
    x, (weight, bias) = random.normal(2, 1, (5, 96)), random.normal(size=(2, 96)).astype(np.float32)

    def build(p: Any, a: Any, b: Any) -> None:
        p.normalise(a, (weight, bias, 1e-6), a)
        p.linear(a, None, matrix(np.eye(96)), None, _engine.Use.STORE, b)

    expected = plain.layer_norm(x, weight, bias, 1e-6)
    np.testing.assert_allclose(on_all_kinds(x, 96, build), expected, rtol=0, atol=1e-5)


def test_places_are_added_to_the_embedding() -> None:
    random = np.random.default_rng(5)
    x, places = random.normal(size=(2, 40, 32)).astype(np.float32)
    found = on_all_kinds(x, 32, lambda p, _, b: p.embed(matrix(x), 3.0, places, b))
    np.testing.assert_allclose(found, 3 * x + places, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 2, 50])
@pytest.mark.parametrize("taps", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("gated", [False, True])
def test_convolutions(rows: int, taps: int, gated: bool) -> None:
    random = np.random.default_rng(taps)
    x = random.normal(size=(rows, 3 * 160)).astype(np.float32)
    weight, bias = random.normal(size=(taps, 160)), random.normal(size=160)
    weight, bias = weight.astype(np.float32), bias.astype(np.float32)
    gates = (0, 160) if gated else (None, None)
    states = _engine.States(1, max(1, (taps - 1) * 160))
    found = on_all_kinds(
        x, 160, lambda p, a, b: p.convolve(a, weight, bias, 320, *gates, not gated, states, b)
    )
    before, after = (x[:, :160], x[:, 160:320]) if gated else (1, 1)
    made = plain.convolution(x[:, 320:] * before, weight, bias)
    expected = made * after if gated else plain.silu(made)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 5, 32, 33, 100])
@pytest.mark.parametrize("window", [EVERYTHING, 7, 40])
@pytest.mark.parametrize("kept", ["FP32", "INT16", "INT8"])
def test_attention(rows: int, window: int, kept: str) -> None:
    check_attention(rows, 32, window=window, kept=kept)


@pytest.mark.parametrize("kept", ["FP32", "INT8"])
@pytest.mark.parametrize("size", [2, 8, 72, 80, 96, 128, 256])
def test_attention_with_heads_of_any_size(size: int, kept: str) -> None:
    check_attention(50, size, kept=kept)


@pytest.mark.parametrize("rows", [1, 40, 70])
def test_attention_in_both_directions_without_rotation(rows: int) -> None:
    check_attention(rows, 32, causal=False, rotated=False)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("kept", ["INT16", "INT8"])
def test_values_that_are_no_numbers_are_met_by_those_who_see_them(kept: str, wrong: float) -> None:
    x, added = np.ones((6, 3 * 32), np.float32), np.zeros((6, 3 * 32), np.float32)
    added[0, 70] = wrong

    def build(p: Any, a: Any, b: Any) -> None:
        p.embed(matrix(x), 1.0, added, a)
        attend(p, a, b, 1, 1, 32, kept=kept)

    found = on_all_kinds(x, 32, build)
    assert not np.isfinite(found[:, 6]).any()


def attend(
    program: Any,
    x: Any,
    out: Any,
    heads: int,
    kv_heads: int,
    size: int,
    *,
    window: int = EVERYTHING,
    kept: str = "FP32",
    causal: bool = True,
    angles: Any = None,
) -> None:
    program.attend(
        x,
        queries=heads,
        keys=kv_heads,
        size=size,
        scale=0.2,
        window=window,
        causal=causal,
        query_norm=None,
        key_norm=None,
        angles=angles,
        memory=_engine.KeyValues(getattr(_engine.Kept, kept), 8, kv_heads, size),
        out=out,
    )


def check_attention(
    rows: int,
    size: int,
    *,
    window: int = EVERYTHING,
    kept: str = "FP32",
    causal: bool = True,
    rotated: bool = True,
) -> None:
    random = np.random.default_rng(rows)
    heads, kv_heads = 6, 2
    q, k, v = (
        random.normal(size=(rows, n, size)).astype(np.float32) for n in (heads, kv_heads, kv_heads)
    )
    room, places = _engine.room(size), halves(size, size)
    x = np.zeros((rows, heads + 2 * kv_heads, room), np.float32)
    x[:, :heads, places], x[:, heads : heads + kv_heads, places] = q, k
    x[:, heads + kv_heads :, :size] = v
    turns = np.outer(np.arange(rows), random.uniform(size=size // 2)) * rotated
    filled = np.pad(turns, ((0, 0), (0, (room - size) // 2)))
    angles = _engine.Angles(np.cos(filled).astype(np.float32), np.sin(filled).astype(np.float32))

    seen = {"window": window, "kept": kept, "causal": causal, "angles": angles if rotated else None}

    def build(p: Any, a: Any, b: Any) -> None:
        attend(p, a, b, heads, kv_heads, size, **seen)

    found = on_all_kinds(x.reshape(rows, -1), heads * size, build)
    q, k, v = plain.rotated(q, turns), plain.rotated(k, turns), v.astype(np.float64)
    if kept == "INT8":
        k, v = plain.in_eight_bits(k), plain.in_eight_bits(v)
    expected = plain.attention(q, k, v, 0.2, window, causal=causal)
    # In eight bits few numbers fall to the other side of a half.
    tolerance = {"FP32": 1e-5, "INT16": 1e-3, "INT8": 5e-3}[kept]
    np.testing.assert_allclose(found, expected.reshape(rows, -1), rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("use", "meant"),
    [("GELU", plain.gelu), ("GELU_TANH", plain.gelu_tanh), ("RELU2", plain.relu2)],
)
def test_activations_of_any_numbers(use: str, meant: Callable[[np.ndarray], np.ndarray]) -> None:
    x = np.concatenate([np.linspace(-30, 30, 2017), np.linspace(-1e-3, 1e-3, 31)]).reshape(64, 32)
    eye = matrix(np.eye(32))
    found = on_all_kinds(
        x, 32, lambda p, a, b: p.linear(a, None, eye, None, getattr(_engine.Use, use), b)
    )
    np.testing.assert_allclose(found, meant(x.astype(np.float32)), rtol=1e-6, atol=3e-7)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-80, 80, width=32), min_size=32, max_size=32))
def test_gates_of_any_numbers(values: list[float]) -> None:
    x = np.array([values], np.float32)
    w = np.concatenate([np.eye(16, 32), np.eye(16, 32, 16)])
    found = on_all_kinds(
        x, 16, lambda p, a, b: p.linear(a, None, matrix(w), None, _engine.Use.SILU_PRODUCT, b)
    )
    wide = x.astype(np.float64)
    expected = plain.silu(wide[:, :16]) * wide[:, 16:]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-30)
