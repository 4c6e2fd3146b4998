"""Mixes compared at equal FLOPs, on runs whose losses a known law made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from openhearth.training.study.compare import Costs, compare, least_measured
from openhearth.training.study.findings import find, points_of
from openhearth.training.study.scaling import Law, fit
from openhearth.training.study.uncertainty import Fit, doubt

GOOD = Law(E=1.0, A=9.0, B=60.0, a=0.25, b=0.35)
WORSE = Law(E=1.05, A=9.0, B=60.0, a=0.25, b=0.35)
BUDGETS = (3e11, 6e11, 1.2e12)
SIZES = (6e4, 1.2e5, 2.4e5, 3.6e5)


def runs(mix: str, law: Law, noise: float = 0.0, cost: float = 6.0) -> list[Any]:
    """Runs whose tokens cost `cost` FLOPs for each parameter."""
    generator = np.random.default_rng(0)
    return [
        measured(mix, law, N, cost, flops, generator.normal(0, noise))
        for N in SIZES
        for flops in BUDGETS
    ]


def measured(mix: str, law: Law, N: float, cost: float, flops: float, noise: float) -> Any:
    D = flops / (cost * N)
    run = SimpleNamespace(
        mix=mix,
        parameters=N,
        tokens=D,
        budget=flops,
        flops=flops,
        flops_per_token=cost * N,
        slice="text",
        size=SimpleNamespace(width=64, depth=4),
    )
    return SimpleNamespace(run=run, loss=float(law.loss(N, D) * np.exp(noise)))


def exact(law: Law) -> Fit:
    return doubt(points_of(runs("x", law)), draws=20)


def test_the_frontier_is_the_optimum_where_it_lies_within_the_sizes() -> None:
    costs = Costs.of(runs("x", GOOD))
    loss, N, D = costs.frontier(GOOD, 3e12)
    best, tokens = GOOD.optimum(3e12)
    assert SIZES[0] < best < SIZES[-1]
    assert pytest.approx(best, rel=0.02) == N
    assert pytest.approx(tokens, rel=0.02) == D
    assert loss == pytest.approx(GOOD.loss(best, tokens), rel=1e-4)


def test_what_a_token_costs_is_known_at_the_sizes_and_between_them() -> None:
    costs = Costs.of(runs("x", GOOD, cost=9.0))
    N = np.array([*SIZES, 9e4])
    assert costs.tokens(N, 1e12) == pytest.approx(1e12 / (9 * N))


def test_the_better_law_stands_first() -> None:
    laws = {"worse": WORSE, "good": GOOD}
    standings = compare(
        {mix: exact(law) for mix, law in laws.items()},
        {mix: runs(mix, law) for mix, law in laws.items()},
        BUDGETS[-1],
    )
    assert [s.mix for s in standings] == ["good", "worse"]
    assert standings[0].is_best == 1
    assert standings[1].loss.value - standings[0].loss.value == pytest.approx(0.05, abs=1e-3)
    assert standings[0].measured == least_measured(runs("good", GOOD), BUDGETS[-1])


def test_equal_laws_share_the_first_place() -> None:
    of = {"one": runs("one", GOOD, 0.003), "two": runs("two", GOOD, 0.003)}
    fits = {
        "one": doubt(points_of(of["one"]), draws=40, seed=1),
        "two": doubt(points_of(of["two"]), draws=40, seed=2),
    }
    shares = [s.is_best for s in compare(fits, of, BUDGETS[-1])]
    assert sum(shares) == pytest.approx(1)
    assert min(shares) > 0.2


def test_dearer_tokens_cost_a_place() -> None:
    of = {"cheap": runs("cheap", GOOD), "dear": runs("dear", GOOD, cost=12.0)}
    standings = compare({mix: exact(GOOD) for mix in of}, of, BUDGETS[0])
    assert [s.mix for s in standings] == ["cheap", "dear"]


def test_a_run_beyond_the_sweep_is_foretold_from_the_sweep() -> None:
    swept = runs("good", GOOD, 0.002)
    beyond = [measured("good", GOOD, 5e5, 6.0, 2.4e12, 0.0)]
    found = find("text", swept, beyond, draws=40)
    (prediction,) = found.predictions
    assert prediction.held
    assert prediction.foretold.value == pytest.approx(beyond[0].loss, rel=0.01)
    assert [level[0].flops for level in found.standings] == list(BUDGETS)
    assert found.best.mix == "good"
    off = find("text", swept, [measured("good", GOOD, 5e5, 6.0, 2.4e12, 0.2)], draws=40)
    assert not off.predictions[0].held


def test_without_budgets_mixes_are_compared_where_both_have_been() -> None:
    cheap, dear = runs("cheap", GOOD), runs("dear", GOOD)
    for m in (*cheap, *dear):
        m.run.budget = None
    for m in dear:
        m.run.flops *= 2
    found = find("text", [*cheap, *dear], [], draws=20)
    assert [level[0].flops for level in found.standings] == [6e11, 1.2e12]
    assert fit(points_of(cheap)).a == pytest.approx(GOOD.a, rel=1e-6)
