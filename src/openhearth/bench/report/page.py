"""A report as one page of HTML that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from openhearth.bench.report import plots, words
from openhearth.bench.report.disclosure import Disclosure
from openhearth.page import render

TEMPLATE = Path(__file__).with_name("page.html.jinja")
MANY = 12  # points, beyond which their table is folded
# What a table of spreads has: name, unit, and what it is.
SPREADS = {
    "ttft_ms": ("TTFT", "ms", "from due to the first content"),
    "ttfo_ms": ("TTFO", "ms", "the same without thoughts"),
    "tpot_ms": ("TPOT", "ms", "a token after the first chunk, of a request"),
    "ntpot_ms": ("NTPOT", "ms", "a token, the first wait included"),
    "itl_ms": ("ITL", "ms", "between tokens"),
    "icl_ms": ("ICL", "ms", "between chunks"),
    "e2e_ms": ("E2E", "ms", "from due to the end"),
    "connect_ms": ("connect", "ms", "names and TLS included"),
    "fluidity": ("fluidity", "", "share of tokens in time for a reader"),
}

Plain = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """Something that a reader must know, and where it was found."""

    rule: str
    where: str

    @property
    def said(self) -> str:
        """What was found."""
        return words.FINDINGS[self.rule][0]

    @property
    def means(self) -> str:
        """What that means."""
        return words.FINDINGS[self.rule][1]


def page(disclosure: Disclosure, figures: Plain) -> bytes:
    """The page, whatever is in there: text of others is escaped and loads nothing.

    Raises:
        MissingExtra: jinja2 or matplotlib is not installed.
    """
    told = disclosure.model_dump(mode="json")
    points, entries = figures["points"], figures["entries"]
    return render(
        TEMPLATE,
        figures=figures,
        told=told,
        words=words,
        findings=findings(figures),
        drawn=[_drawn(disclosure, figures, place) for place in range(len(entries))],
        frontier=plots.frontier(plots.priced(entries, points)),
        times=_times(figures),
        errors=_errors(points),
        recipe=yaml.safe_dump(told["recipe"], sort_keys=False, allow_unicode=True),
        spreads=SPREADS,
        many=MANY,
    )


def findings(figures: Plain) -> list[Finding]:
    """Those of loads that speak for an entry, by rule. A search means some loads to be too much."""
    where: dict[str, list[str]] = {"rule 58": ["the report"]} if figures["partial"] else {}
    for place, entry in enumerate(figures["entries"]):
        for rule in entry["gate"]["findings"] if entry["gate"] else ():
            where.setdefault(rule, []).append(f"gate of {words.letter(place)}")
    for number in _speaking(figures):
        for rule in figures["points"][number]["findings"]:
            where.setdefault(rule, []).append(f"point {number + 1}")
    return [
        Finding(rule, _few(places))
        for rule, places in sorted(where.items(), key=lambda pair: int(pair[0].split()[1]))
    ]


def _speaking(figures: Plain) -> Iterator[int]:
    headlines = {entry["headline"] for entry in figures["entries"]}
    for number, point in enumerate(figures["points"]):
        if point["role"] in ("ranked", "monitor") or number in headlines:
            yield number


def _few(places: Sequence[str]) -> str:
    if places[0] == "the report":
        places = places[:1]
    rest = f" and {len(places) - 4} more" if len(places) > 4 else ""
    return ", ".join(places[:4]) + rest


def _drawn(disclosure: Disclosure, figures: Plain, place: int) -> Plain:
    mine = [point for point in figures["points"] if point["entry"] == place]
    capacity = (figures["entries"][place]["capacity"] or {}).get("rate")
    bound = disclosure.recipe.objective.ttft_ms
    return {
        "latency": plots.latency(mine, bound, capacity),
        "goodput": plots.goodput(mine, capacity),
    }


def _times(figures: Plain) -> Plain | None:
    found = figures["over_time"]
    if found is None:
        return None
    monitored = [point for point in figures["points"] if point["role"] == "monitor"]
    return {
        "course": plots.course(monitored),
        "hours": plots.by_hour(found["hours"]),
        "weekdays": plots.by_weekday(found["weekdays"]),
    }


def _errors(points: Sequence[Plain]) -> dict[str, list[tuple[int, int]]]:
    """By class: the numbers of the points in which they were, and how many."""
    found: dict[str, list[tuple[int, int]]] = {}
    for number, point in enumerate(points, 1):
        for name, count in point["errors"].items():
            found.setdefault(name, []).append((number, count))
    return dict(sorted(found.items(), key=lambda pair: -sum(count for _, count in pair[1])))
