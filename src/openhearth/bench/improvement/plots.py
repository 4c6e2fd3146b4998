"""The report's plots as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

from openhearth.figures import COOL, FIRE, GREY, axes, svg


def training_curve(losses: Sequence[float]) -> str:
    """Loss by step, with its running mean."""
    figure, ax = axes(6.4, 2.6)
    steps = range(1, len(losses) + 1)
    window = max(1, len(losses) // 10)
    means = [
        sum(losses[max(0, i - window + 1) : i + 1]) / (i + 1 - max(0, i - window + 1))
        for i in range(len(losses))
    ]
    ax.plot(steps, losses, color=GREY, linewidth=0.8, alpha=0.7)
    ax.plot(steps, means, color=FIRE, linewidth=2)
    ax.set_xlabel("step", color=GREY)
    ax.set_ylabel("loss (nats per answer token)", color=GREY)
    return svg(figure, "Training loss by step")


def interval(base: float, tuned: float, low: float, high: float, unit: str) -> str:
    """Base and tuned side by side, with the interval of the tuned one."""
    figure, ax = axes(6.4, 1.5)
    ax.barh(["tuned", "base"], [tuned, base], color=[FIRE, COOL], height=0.55)
    ax.plot([low, high], ["tuned", "tuned"], color=GREY, linewidth=2)
    for value, name in ((tuned, "tuned"), (base, "base")):
        ax.text(value / 2, name, f"{value:.3f}", ha="center", va="center", color="white")
    ax.set_xlabel(unit, color=GREY)
    return svg(figure, f"{unit}: base {base:.3f}, tuned {tuned:.3f}")


def throughput(levels: dict[int, float]) -> str:
    """Tokens per second by the number of callers."""
    figure, ax = axes(6.4, 2.2)
    names = [str(level) for level in levels]
    bars = ax.bar(names, list(levels.values()), color=FIRE, width=0.5)
    ax.bar_label(bars, fmt="%.0f", color=GREY)
    ax.set_xlabel("callers at the same time", color=GREY)
    ax.set_ylabel("tokens/s", color=GREY)
    return svg(figure, "Tokens per second by callers")
