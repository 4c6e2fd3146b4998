"""Each operation of a recurrent state against its definition, on every kind of kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openhearth.inference.native import _engine
from tests.inference.native import plain

if _engine is None:
    pytest.skip("the extension was not built", allow_module_level=True)
from tests.inference.native.test_operations import on_all_kinds

LARGEST = float(np.finfo(np.float32).max)


def rows(count: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def near(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bounds", [(0.0, LARGEST), (0.5, 2.0)])
def test_pace(bounds: tuple[float, float]) -> None:
    x, bias, logs = 9 * rows(6, 64), rows(1, 48, 1)[0], -np.abs(rows(1, 48, 2)[0])
    found = on_all_kinds(x, 96, lambda p, a, b: p.pace(a, 16, bias, logs, *bounds, b))
    steps = plain.softplus(x[:, 16:] + bias).clip(*bounds)
    near(found, np.concatenate([steps, np.exp(logs * steps)], axis=1))


def test_steps_alone() -> None:
    x, bias = rows(3, 32), rows(1, 32, 1)[0]
    found = on_all_kinds(x, 32, lambda p, a, b: p.pace(a, 0, bias, None, 0.0, LARGEST, b))
    near(found, plain.softplus(x + bias))


def copied(program: Any, a: Any, b: Any) -> None:
    """b += a, the rows as they are."""
    width = np.eye(a.width, dtype=np.float32)
    matrix = _engine.Matrix(_engine.Format.FP32, a.width, a.width)
    matrix.fill(0, width.view(np.uint8), np.arange(a.width, dtype=np.int32))
    program.linear(a, None, matrix, None, _engine.Use.ADD, b)


def test_sigmoid_of_some_columns() -> None:
    x = 5 * rows(4, 64)

    def build(p: Any, a: Any, b: Any) -> None:
        p.sigmoid(a, 16, 32, 2.0)
        copied(p, a, b)

    expected = x.astype(np.float64)
    expected[:, 16:48] = 2 / (1 + np.exp(-expected[:, 16:48]))
    near(on_all_kinds(x, 64, build), expected)


@pytest.mark.parametrize("weights", [1, 3])
def test_norms_of_parts(weights: int) -> None:
    x, weight = rows(4, 128), rows(1, weights * 32, 1)[0]

    def build(p: Any, a: Any, b: Any) -> None:
        p.norm_parts(a, 32, 3, weights, (weight, None, 1e-5))
        copied(p, a, b)

    expected = x.astype(np.float64)
    for part in range(3):
        at, own = slice(32 * (part + 1), 32 * (part + 2)), weight[part % weights * 32 :][:32]
        expected[:, at] = plain.rms_norm(x[:, at], own, 1e-5)
    near(on_all_kinds(x, 128, build), expected)


def test_gate() -> None:
    x = rows(4, 64)

    def build(p: Any, a: Any, b: Any) -> None:
        copied(p, a, b)
        p.gate(a, 0, b)

    near(on_all_kinds(x, 64, build), x * plain.silu(x.astype(np.float64)))


@pytest.mark.parametrize("length", [1, 40])
@pytest.mark.parametrize("values", [16, 80])
@pytest.mark.parametrize("corrects", [False, True])
@pytest.mark.parametrize("skips", [False, True])
def test_memories(length: int, values: int, corrects: bool, skips: bool) -> None:
    heads, groups, keys = 4, 2, 12
    query, value = groups * keys, 2 * groups * keys
    decay = value + heads * values
    width = -(-(decay + 2 * heads) // 32) * 32
    x = rows(length, width)
    x[:, decay:] = 1 / (1 + np.exp(-x[:, decay:]))  # between nothing and one
    x[:, :value] /= np.float32(keys**0.5)
    skip = rows(1, heads, 1)[0] if skips else None

    def build(p: Any, a: Any, b: Any) -> None:
        state = _engine.States(1, heads * keys * values)
        columns = {"key": 0, "query": query, "value": value, "decay": decay, "share": decay + heads}
        sizes = {"heads": heads, "groups": groups, "keys": keys, "values": values}
        p.remember(a, a, a, **sizes, **columns, corrects=corrects, skip=skip, states=state, out=b)

    found = on_all_kinds(x, heads * values, build).reshape(length, heads, values)
    x = x.astype(np.float64)
    for head in range(heads):
        group = head // (heads // groups)
        k, q = x[:, group * keys :][:, :keys], x[:, query + group * keys :][:, :keys]
        v, rates = x[:, value + head * values :][:, :values], x[:, decay + head :: heads]
        expected = plain.remembered(k, q, v, rates[:, 0], rates[:, 1], corrects=corrects)
        near(found[:, head], expected + (skip[head] * v if skip is not None else 0))


@pytest.mark.parametrize("length", [1, 40])
def test_selective_state_spaces(length: int) -> None:
    channels, numbers = 48, 5
    x = rows(length, 2 * channels)
    logs, skip = -np.abs(rows(numbers, channels, 1)), rows(1, channels, 2)[0]

    def build(p: Any, a: Any, b: Any) -> None:
        steps = p.buffer(channels)
        p.pace(a, channels, np.zeros(channels, np.float32), None, 0.0, LARGEST, steps)
        p.scan(a, steps, a, logs, skip, 3, 40, _engine.States(1, numbers * channels), b)

    u, step = x[:, :channels].astype(np.float64), plain.softplus(x[:, channels:])
    made = plain.selected(u, step, logs, x[:, 3 : 3 + numbers], x[:, 40 : 40 + numbers])
    near(on_all_kinds(x, channels, build), made + skip * u)


@pytest.mark.parametrize("length", [1, 40])
def test_modes(length: int) -> None:
    channels, modes = 48, 3
    x, parts = rows(length, 192), rows(4 * modes, channels, 1) / 2
    poles, residues, direct = parts[: 2 * modes], parts[2 * modes :], rows(1, channels, 2)[0]

    def build(p: Any, a: Any, b: Any) -> None:
        states = _engine.States(1, 2 * modes * channels)
        p.ring(a, poles, residues, direct, 0, channels, 128, states, b)

    gate, one, other = x[:, :channels], x[:, channels : 2 * channels], x[:, 128 : 128 + channels]
    u = one.astype(np.float64) * other
    made = plain.rung(u, poles[::2] + 1j * poles[1::2], residues[::2] + 1j * residues[1::2])
    near(on_all_kinds(x, channels, build), gate * (made + direct * u))
