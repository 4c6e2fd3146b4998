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

pytestmark = pytest.mark.skipif(_engine is None, reason="the extension was not built")

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
            program.embed(matrix(x), 1.0, a)
            program.embed(matrix(np.zeros((len(x), width))), 1.0, b)
            build(program, a, b)
            out = program.buffer(width, wanted=True)
            program.gather(b, out)
            rows = np.arange(len(x), dtype=np.int32)
            pages = rows[: -(-len(x) // _engine.PAGE)][::-1].copy()
            results.append(
                program.run(
                    out, rows, int32(len(x)), int32(0), pages, int32(len(pages)), int32(-1), rows
                )
            )
    for other in results[1:]:
        assert np.array_equal(results[0], other)
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
        p.linear(a, (weight, 1e-5), matrix(w), None, _engine.Use.STORE, b)
        p.linear(a, None, matrix(w), None, _engine.Use.ADD, b)

    found = on_all_kinds(x, 64, build)
    expected = (plain.rms_norm(x, weight, 1e-5) + x) @ w.T
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("use", "gate"), [("SILU", plain.silu), ("GELU", plain.gelu)])
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
    found = on_all_kinds(x, 64, lambda p, a, b: p.add_norm(a, (weight, 1e-6), b))
    np.testing.assert_allclose(found, plain.rms_norm(x, weight, 1e-6), rtol=0, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 5, 32, 33, 100])
@pytest.mark.parametrize("window", [EVERYTHING, 7, 40])
@pytest.mark.parametrize("fp32", [True, False])
def test_attention(rows: int, window: int, fp32: bool) -> None:
    random = np.random.default_rng(rows)
    heads, kv_heads, size = 6, 2, 32
    x = random.normal(size=(rows, (heads + 2 * kv_heads) * size)).astype(np.float32)
    turns = np.outer(np.arange(rows), random.uniform(size=size // 2))
    angles = _engine.Angles(np.cos(turns).astype(np.float32), np.sin(turns).astype(np.float32))

    def build(p: Any, a: Any, b: Any) -> None:
        p.attend(
            a,
            queries=heads,
            keys=kv_heads,
            size=size,
            scale=0.2,
            window=window,
            query_norm=None,
            key_norm=None,
            angles=angles,
            fp32=fp32,
            pages=8,
            out=b,
        )

    found = on_all_kinds(x, heads * size, build)
    q, k, v = np.split(x.astype(np.float64), [heads * size, (heads + kv_heads) * size], axis=1)
    q, k, v = (part.reshape(rows, -1, size) for part in (q, k, v))
    expected = plain.attention(plain.rotated(q, turns), plain.rotated(k, turns), v, 0.2, window)
    tolerance = 1e-5 if fp32 else 5e-3  # half precision has eleven bits
    np.testing.assert_allclose(found, expected.reshape(rows, -1), rtol=0, atol=tolerance)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-80, 80, width=32), min_size=32, max_size=32))
def test_gates_of_any_numbers(values: list[float]) -> None:
    x = np.array([values], np.float32)
    w = np.concatenate([np.eye(16, 32), np.eye(16, 32, 16)])
    found = on_all_kinds(
        x, 16, lambda p, a, b: p.linear(a, None, matrix(w), None, _engine.Use.SILU, b)
    )
    wide = x.astype(np.float64)
    expected = plain.silu(wide[:, :16]) * wide[:, 16:]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-30)
