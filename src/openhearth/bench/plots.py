"""The report's plots as inline SVG, in colours that work on light and dark pages."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from openhearth.errors import MissingExtra

GREY, FIRE, COOL = "#888888", "#e0642d", "#4a86c5"


def _axes(width: float, height: float) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtra("matplotlib", "report") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(GREY)
    axes.tick_params(colors=GREY)
    return figure, axes


def _svg(figure: Any, title: str) -> str:
    """The figure as an `<svg>` element, with a title for those who cannot see it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', r"<svg \1", svg, count=1)
    return svg.replace(">", f' role="img"><title>{title}</title>', 1)


def training_curve(losses: Sequence[float]) -> str:
    """Loss by step, with its running mean."""
    figure, axes = _axes(6.4, 2.6)
    steps = range(1, len(losses) + 1)
    window = max(1, len(losses) // 10)
    means = [
        sum(losses[max(0, i - window + 1) : i + 1]) / (i + 1 - max(0, i - window + 1))
        for i in range(len(losses))
    ]
    axes.plot(steps, losses, color=GREY, linewidth=0.8, alpha=0.7)
    axes.plot(steps, means, color=FIRE, linewidth=2)
    axes.set_xlabel("step", color=GREY)
    axes.set_ylabel("loss (nats per answer token)", color=GREY)
    return _svg(figure, "Training loss by step")


def interval(base: float, tuned: float, low: float, high: float, unit: str) -> str:
    """Base and tuned side by side, with the interval of the tuned one."""
    figure, axes = _axes(6.4, 1.5)
    axes.barh(["tuned", "base"], [tuned, base], color=[FIRE, COOL], height=0.55)
    axes.plot([low, high], ["tuned", "tuned"], color=GREY, linewidth=2)
    for value, name in ((tuned, "tuned"), (base, "base")):
        axes.text(value / 2, name, f"{value:.3f}", ha="center", va="center", color="white")
    axes.set_xlabel(unit, color=GREY)
    return _svg(figure, f"{unit}: base {base:.3f}, tuned {tuned:.3f}")


def throughput(levels: dict[int, float]) -> str:
    """Tokens per second by the number of callers."""
    figure, axes = _axes(6.4, 2.2)
    names = [str(level) for level in levels]
    bars = axes.bar(names, list(levels.values()), color=FIRE, width=0.5)
    axes.bar_label(bars, fmt="%.0f", color=GREY)
    axes.set_xlabel("callers at the same time", color=GREY)
    axes.set_ylabel("tokens/s", color=GREY)
    return _svg(figure, "Tokens per second by callers")
