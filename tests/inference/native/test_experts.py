"""Each operation of a mixture of experts against its definition, on every kind of kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openhearth.inference.native import _engine
from tests.inference.native import plain

if _engine is None:
    pytest.skip("the extension was not built", allow_module_level=True)
from openhearth.inference.native.adapters import alternating
from tests.inference.native.test_operations import matrix, on_all_kinds
from tests.inference.native.test_recurrences import near, rows

EXPERTS, ACTIVE = 20, 3
CHOICE = {"groups": 1, "active_groups": 1, "softmax": True, "normalised": True, "factor": 1.0}


def route(program: Any, scores: Any, chosen: Any, bias: np.ndarray | None, **choice: Any) -> Any:
    routes = _engine.Routes()
    sizes = {"experts": EXPERTS, "active": ACTIVE}
    settings = CHOICE | choice
    program.route(scores, **sizes, **settings, bias=bias, routes=routes, chosen=chosen)
    return routes


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"softmax": False, "normalised": False, "factor": 2.5},
        {"groups": 5, "active_groups": 2},
        {"softmax": False, "groups": 2, "active_groups": 1},
    ],
)
def test_choices(choice: dict[str, Any], biased: bool) -> None:
    x, bias = rows(30, 32), rows(1, EXPERTS, 1)[0] / 10 if biased else None
    found = on_all_kinds(x, 16, lambda p, a, b: route(p, a, b, bias, **choice))
    expected = plain.routed(x[:, :EXPERTS], ACTIVE, bias, **(CHOICE | choice))
    assert np.array_equal(found[:, :ACTIVE], expected[0])
    near(found[:, ACTIVE : 2 * ACTIVE], expected[1])
    assert (found[:, 2 * ACTIVE] == 1).all()


def test_of_equal_experts_the_first_are_taken() -> None:
    x = np.zeros((2, 32), np.float32)
    x[1, 7] = 1
    found = on_all_kinds(x, 16, lambda p, a, b: route(p, a, b, None))
    assert found[:, :ACTIVE].tolist() == [[0, 1, 2], [0, 1, 7]]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_scores_that_are_no_numbers_stay_with_their_row(wrong: float) -> None:
    x, added = rows(3, 32), np.zeros((3, 32), np.float32)

    def build(p: Any, a: Any, b: Any) -> None:
        p.embed(matrix(x), 1.0, added, a)
        route(p, a, b, None)

    found = on_all_kinds(x, 16, build)
    added[1, 4] = wrong
    other = on_all_kinds(x, 16, build)
    assert np.array_equal(found[[0, 2]], other[[0, 2]])
    assert ((other[:, :ACTIVE] >= 0) & (other[:, :ACTIVE] < EXPERTS)).all()


@pytest.mark.parametrize("kind", ["INT4", "INT8", "FP32"])
@pytest.mark.parametrize("count", [1, 2, 33, 200])
def test_rows_meet_their_experts(kind: str, count: int) -> None:
    width, hidden = 64, 32
    x, logits = rows(count, width), rows(count, 32, 1)
    gate, up = rows(EXPERTS * hidden, width, 2), rows(EXPERTS * hidden, width, 3)
    both = np.empty((2 * len(gate), width), np.float32)
    for place, part in zip(alternating(len(gate)), (gate, up), strict=True):
        both[place] = part
    first, last = matrix(both / 8, kind), matrix(rows(EXPERTS * width, hidden, 4) / 8, kind)

    def build(p: Any, a: Any, b: Any) -> None:
        scores, chosen = p.buffer(32), p.buffer(16)
        inner, made = p.buffer(ACTIVE * hidden), p.buffer(ACTIVE * width)
        p.embed(matrix(logits), 1.0, None, scores)
        sizes = {"experts": EXPERTS, "active": ACTIVE, "routes": route(p, scores, chosen, None)}
        p.experts(a, first, use=_engine.Use.SILU_PRODUCT, **sizes, out=inner)
        p.experts(inner, last, use=_engine.Use.STORE, **sizes, out=made)
        p.blend(made, chosen, ACTIVE, _engine.Use.ADD, b)

    found = on_all_kinds(x, width, build)
    seen = (lambda y: y) if kind == "FP32" else plain.quantised
    pairs = first.dequantised().astype(np.float64)
    gate, up = (pairs[place].reshape(EXPERTS, hidden, width) for place in alternating(len(gate)))
    down = last.dequantised().astype(np.float64).reshape(EXPERTS, width, hidden)
    chosen, weights = plain.routed(logits[:, :EXPERTS], ACTIVE, None, **CHOICE)
    y = seen(x).astype(np.float64)
    for i, (experts, shares) in enumerate(zip(chosen, weights, strict=True)):
        inner = np.stack([plain.silu(gate[e] @ y[i]) * (up[e] @ y[i]) for e in experts])
        parts = np.stack([down[e] @ n for e, n in zip(experts, seen(inner), strict=True)])
        # A number near the middle between two of eight bits may fall to the other side.
        tolerance = 1e-5 if kind == "FP32" else 5e-3
        np.testing.assert_allclose(found[i], shares @ parts, rtol=0, atol=tolerance)
