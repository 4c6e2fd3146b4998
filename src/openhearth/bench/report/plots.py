"""The report's plots as inline SVG. Text of others is never drawn: entries are letters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from openhearth.bench.report.words import WEEKDAYS, letter
from openhearth.figures import COLOURS, COOL, FIRE, GREY, axes, svg

Plain = dict[str, Any]
SIZE = (5.0, 3.0)  # inches; as wide as a phone
LOADS = ("search", "twice")  # whose rate differs from point to point


def latency(points: Sequence[Plain], bound_ms: float, capacity: float | None) -> str | None:
    """Time to first token against rate; None of fewer than two rates."""
    found = _by_rate(points)
    if not found:
        return None
    figure, ax = axes(*SIZE)
    rates = [rate for rate, _ in found]
    for name, colour in (("p50", COOL), ("p99", FIRE)):
        _intervals(ax, rates, [_estimate(point, name) for _, point in found], colour, name.upper())
    ax.axhline(bound_ms, color=GREY, linestyle="--", linewidth=1, label="objective")
    _mark_capacity(ax, capacity)
    ax.set_xscale("log")
    ax.set_yscale("log")
    _plain_ticks(ax.xaxis, ax.yaxis)
    _label(ax, "requests a second", "time to first token, ms")
    return svg(figure, "Time to first token by rate, P50 and P99 with 95 % intervals")


def goodput(points: Sequence[Plain], capacity: float | None) -> str | None:
    """Requests that met the objective against those that were due; None of fewer than two rates."""
    found = _by_rate(points)
    if not found:
        return None
    figure, ax = axes(*SIZE)
    rates = [rate for rate, _ in found]
    ax.plot([0, max(rates)], [0, max(rates)], color=GREY, linestyle=":", linewidth=1, label="all")
    good = [point["answers"]["rates"]["goodput"] for _, point in found]
    ax.plot(rates, good, "o", color=FIRE, markersize=4, label="met the objective")
    _mark_capacity(ax, capacity)
    _label(ax, "requests a second", "goodput, requests a second")
    return svg(figure, "Requests that met the objective by rate")


def frontier(entries: Sequence[tuple[str, float, float]]) -> str | None:
    """Useful tokens a second against dollars for a million of them; those that no other beats at
    both are joined. None of fewer than two.
    """
    if len(entries) < 2:
        return None
    figure, ax = axes(*SIZE)
    best: list[tuple[float, float]] = []
    for place, (name, price, speed) in enumerate(sorted(entries, key=lambda e: (e[1], -e[2]))):
        if not best or speed > best[-1][1]:
            best.append((price, speed))
        ax.plot(price, speed, "o", color=COLOURS[place % len(COLOURS)])
        ax.annotate(name, (price, speed), (6, 4), textcoords="offset points", color=GREY)
    ax.plot(*zip(*best, strict=True), color=GREY, linewidth=1, zorder=0)
    ax.set_xlim(0, 1.15 * max(price for _, price, _ in entries))
    ax.set_ylim(0, 1.15 * max(speed for _, _, speed in entries))
    _label(ax, "dollars per million useful tokens", "useful tokens a second", legend=False)
    return svg(figure, "Price and performance")


def course(points: Sequence[Plain]) -> str:
    """Time to first token of each run, by when it began."""
    figure, ax = axes(*SIZE)
    times = [datetime.fromtimestamp(point["began"], UTC) for point in points]
    for name, colour in (("p50", COOL), ("p99", FIRE)):
        values = [_estimate(point, name)[0] for point in points]
        ax.plot(times, values, "o-", color=colour, markersize=3, linewidth=1, label=name.upper())
    bad = [at for at, point in zip(times, points, strict=True) if sum(point["errors"].values())]
    for number, at in enumerate(bad):
        ax.axvline(at, color=GREY, linewidth=1, alpha=0.5, label=None if number else "errors")
    ax.set_yscale("log")
    _plain_ticks(ax.yaxis)
    figure.autofmt_xdate(rotation=30)
    _label(ax, "", "time to first token, ms")
    return svg(figure, "Time to first token over time")


def by_hour(groups: Sequence[Plain]) -> str:
    """Time to first token by hour of the day."""
    return _grouped(groups, "hour", [f"{hour}" for hour in range(24)], "hour of the day, UTC")


def by_weekday(groups: Sequence[Plain]) -> str:
    """Time to first token by weekday."""
    return _grouped(groups, "weekday", [day[:3] for day in WEEKDAYS], "weekday, UTC")


def _grouped(groups: Sequence[Plain], key: str, names: Sequence[str], title: str) -> str:
    figure, ax = axes(*SIZE)
    places = [group[key] for group in groups]
    for name, colour in (("ttft_p50_ms", COOL), ("ttft_p99_ms", FIRE)):
        values = [_or_nan(group[name]) for group in groups]
        ax.plot(places, values, "o", color=colour, markersize=4, label=name[5:8].upper())
    step = 3 if len(names) > 7 else 1
    ax.set_xticks(range(0, len(names), step), names[::step])
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.set_ylim(bottom=0)
    _label(ax, title, "time to first token, ms")
    return svg(figure, f"Time to first token by {title}")


def _by_rate(points: Sequence[Plain]) -> list[tuple[float, Plain]]:
    found = [(one["load"]["rate"], one) for one in points if one["role"] in LOADS]
    return sorted(found, key=lambda pair: pair[0]) if len({rate for rate, _ in found}) > 1 else []


def _estimate(point: Plain, name: str) -> tuple[float, float, float]:
    """Value, low and high; what is infinite is not drawn, and an interval without end stops."""
    spread = point["answers"]["ttft_ms"]
    if spread is None:
        return math.nan, math.nan, math.nan
    value, low, high = (_or_nan(spread[name][part]) for part in ("value", "low", "high"))
    return value, low, value if math.isnan(high) else high


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _intervals(
    ax: Any, x: Sequence[float], found: Sequence[tuple[float, float, float]], colour: str, name: str
) -> None:
    values = [value for value, _, _ in found]
    below = [max(0.0, value - low) for value, low, _ in found]
    above = [max(0.0, high - value) for value, _, high in found]
    ax.errorbar(x, values, [below, above], fmt="o", color=colour, markersize=4, linewidth=1,
                label=name)  # fmt: skip


def _mark_capacity(ax: Any, capacity: float | None) -> None:
    if capacity:
        ax.axvline(capacity, color=GREY, linewidth=1.5, label="capacity")


def _plain_ticks(*those: Any) -> None:
    """Numbers as they are spoken, not powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    for axis in those:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())


def _label(ax: Any, x: str, y: str, legend: bool = True) -> None:
    ax.set_xlabel(x, color=GREY)
    ax.set_ylabel(y, color=GREY)
    if legend:
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 4}
        ax.legend(frameon=False, labelcolor=GREY, fontsize="small", **above)


def priced(entries: Sequence[Plain], points: Sequence[Plain]) -> list[tuple[str, float, float]]:
    """Of a report, the entries that `frontier` can draw."""
    found = []
    for place, entry in enumerate(entries):
        price = (entry["cost"] or {}).get("per_million_useful")
        if price is not None:
            rates = points[entry["headline"]]["answers"]["rates"]
            found.append((letter(place), price, rates["useful_tokens"]))
    return found
