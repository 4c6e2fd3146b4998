"""The plots of a study's report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from openhearth.figures import COLOURS, GREY, axes, svg
from openhearth.training.study.compare import Costs
from openhearth.training.study.findings import Prediction, SliceFound
from openhearth.training.study.trials import Trial

WIDTH = 8.4  # inches
POINTS = 60  # of a curve


def colours(found: SliceFound) -> dict[str, str]:
    """Of each mix, the same in all plots."""
    return {mix: COLOURS[i % len(COLOURS)] for i, mix in enumerate(sorted(found.fits))}


def frontier(found: SliceFound) -> str:
    """The least loss of each mix by FLOPs: the law as a line, with what was measured."""
    figure, ax = axes(WIDTH, 3.4)
    for mix, colour in colours(found).items():
        measured = found.measured[mix]
        costs, law = Costs.of(measured), found.fits[mix].law
        spent = [m.run.flops for m in measured]
        flops = np.geomspace(min(spent), max(spent), POINTS)
        ax.plot(flops, [costs.frontier(law, c)[0] for c in flops], color=colour, label=mix)
        ax.scatter(spent, [m.loss for m in measured], color=colour, s=9, alpha=0.6)
    _by_powers(ax, "FLOPs of training", "held-out loss (nats per token)", _budgets(found))
    ax.legend(frameon=False, labelcolor=GREY)
    return svg(figure, f"Least loss by FLOPs, {found.slice}")


def equal_flops(found: SliceFound) -> str:
    """Loss by size, one panel for each amount of FLOPs, with each mix's law."""
    budgets = _budgets(found)
    every = [m.run.parameters for measured in found.measured.values() for m in measured]
    sizes = [float(x) for x in np.geomspace(min(every), max(every), 3)]
    figure, panels = axes(WIDTH, 3.0, len(budgets))
    for ax, flops in zip([panels] if len(budgets) == 1 else panels, budgets, strict=True):
        for mix, colour in colours(found).items():
            measured = [m for m in found.measured[mix] if m.run.budget == flops]
            costs = Costs.of(found.measured[mix])
            N = np.geomspace(costs.N[0], costs.N[-1], POINTS)
            ax.plot(N, found.fits[mix].law.loss(N, costs.tokens(N, flops)), color=colour)
            ax.scatter(
                [m.run.parameters for m in measured], [m.loss for m in measured], color=colour, s=14
            )
        ax.set_title(f"{flops:.1e} FLOPs", color=GREY, fontsize=10)
        _by_powers(ax, "parameters", "held-out loss" if flops == budgets[0] else "", sizes)
    return svg(figure, f"Loss by size at equal FLOPs, {found.slice}")


def predictions(of: Sequence[Prediction], title: str) -> str:
    """The interval of each mix's next size, and what was measured."""
    figure, ax = axes(WIDTH, 0.9 + 0.42 * len(of))
    for place, p in enumerate(of):
        ax.plot([p.foretold.low, p.foretold.high], [place, place], color=COLOURS[1], linewidth=5)
        ax.plot(p.foretold.value, place, "|", color=GREY, markersize=14)
        ax.plot(p.measured, place, "o", color=COLOURS[0])
    ax.set_yticks(range(len(of)), [p.mix for p in of])
    ax.invert_yaxis()
    ax.set_xlabel("held-out loss: interval foretold, and measured (dot)", color=GREY)
    return svg(figure, title)


def probes(trials: Sequence[Trial]) -> str:
    """The accuracy of each mix in each task."""
    tasks, mixes = _in_order(t.task for t in trials), _in_order(t.mix for t in trials)
    figure, ax = axes(WIDTH, 2.8)
    wide = 0.8 / len(mixes)
    for i, mix in enumerate(sorted(mixes)):
        scores = [
            float(np.mean([t.accuracy for t in trials if (t.mix, t.task) == (mix, task)]))
            for task in tasks
        ]
        places = np.arange(len(tasks)) + (i - (len(mixes) - 1) / 2) * wide
        ax.bar(places, scores, wide * 0.9, color=COLOURS[i % len(COLOURS)], label=mix)
    ax.set_xticks(range(len(tasks)), [task.replace("_", " ") for task in tasks])
    ax.set_ylabel("accuracy", color=GREY)
    ax.set_ylim(0, 1)
    ax.legend(frameon=False, labelcolor=GREY, ncols=len(mixes), fontsize=8)
    return svg(figure, "Accuracy of each mix in each probe")


def _in_order(names: Any) -> list[str]:
    return list(dict.fromkeys(names))


def _budgets(found: SliceFound) -> list[float]:
    return [standings[0].flops for standings in found.standings]


def _by_powers(ax: Any, across: str, up: str, ticks: Sequence[float]) -> None:
    """What lies across on a logarithmic scale, with few enough numbers to be read."""
    ax.set_xscale("log")
    ax.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel(across, color=GREY)
    ax.set_ylabel(up, color=GREY)
