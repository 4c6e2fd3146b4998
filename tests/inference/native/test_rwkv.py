"""Each operation of RWKV-7's time mixing against its definition, on every kind of kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openhearth.inference.native import _engine
from tests.inference.native import plain

if _engine is None:
    pytest.skip("the extension was not built", allow_module_level=True)
from tests.inference.native.test_operations import on_all_kinds
from tests.inference.native.test_recurrences import near, rows


@pytest.mark.parametrize("length", [1, 40])
def test_mixtures_with_the_row_before(length: int) -> None:
    x, shares = rows(length, 160), rows(2, 160, 1)

    def build(p: Any, a: Any, b: Any) -> None:
        p.shift(a, shares, _engine.States(1, 160), outs := [p.buffer(160), p.buffer(160)])
        p.add_norm(outs[0], None, b)
        p.add_norm(outs[1], None, b)

    before = np.concatenate([np.zeros((1, 160)), x[:-1]])
    expected = sum(x + share * (before - x) for share in shares.astype(np.float64))
    near(on_all_kinds(x, 160, build), expected)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x.astype(np.float64)))


@pytest.mark.parametrize("length", [1, 40])
@pytest.mark.parametrize("size", [16, 80])
def test_memories_that_take_things_out(length: int, size: int) -> None:
    heads, inner = 2, 2 * size
    x, known = rows(length, 6 * inner), rows(5, inner, 1)

    def build(p: Any, a: Any, b: Any) -> None:  # what the memory says is the gate too
        channels = _engine.Channels(heads, *known)
        p.replace(a, channels, _engine.States(1, inner * size), b)
        made = p.buffer(inner)
        p.add_norm(b, None, made)
        p.bonus(a, b, channels, made)
        p.add_norm(made, None, b)

    found = on_all_kinds(x, inner, build)
    for head in range(heads):
        at = slice(head * size, (head + 1) * size)
        parts = x.reshape(length, 6, inner)[:, :5, at].astype(np.float64).swapaxes(0, 1)
        asked, decay, key, value, rate = parts
        decay_bias, rate_bias, scale, key_rate, bonus = known[:, at].astype(np.float64)
        rate = sigmoid(rate + rate_bias)
        taken = key * scale / np.linalg.norm(key * scale, axis=-1, keepdims=True)
        key = key * (1 + (rate - 1) * key_rate)
        decay = np.exp(-np.exp(-0.5) * sigmoid(decay + decay_bias))
        said = plain.replaced(asked, decay, key, value, taken * rate, taken)
        own = (asked * key * bonus).sum(-1, keepdims=True) * value
        expected = said + (said + own) * said
        np.testing.assert_allclose(found[:, at], expected, rtol=1e-4, atol=1e-3)
