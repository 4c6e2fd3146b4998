"""What a measurement came to, on the terminal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openhearth.cli.frame import emit, say, table
from openhearth.errors import HearthError

if TYPE_CHECKING:
    from openhearth.bench.report.disclosure import Disclosure

POINT = ["point", "load", "asked", "errors", "TTFT ms p50/p99", "TPOT ms p50/p99", "goodput /s",
         "tokens/s", "objective"]  # fmt: skip


def tell(directory: Path, disclosure: Disclosure) -> None:
    """The figures of a report that was just written.

    Raises:
        HearthError: not one request was answered, although nobody broke it off.
    """
    figures = json.loads((directory / "report.json").read_bytes())
    emit({"report": str(directory), "name": disclosure.name} | figures, lambda: _text(figures))
    _say_where(directory, disclosure)
    points = figures["points"]
    answered = any(sum(one["errors"].values()) < one["requests"] for one in points)
    if points and not answered and not disclosure.partial:
        kinds = ", ".join(sorted({kind for one in points for kind in one["errors"]}))
        raise HearthError(f"No request was answered ({kinds}): {directory}/report.html says more.")


def _say_where(directory: Path, disclosure: Disclosure) -> None:
    partial = " It is partial, as it was broken off." if disclosure.partial else ""
    say(f"Report {disclosure.name[:12]} is in {directory}.{partial}")


def _text(figures: dict[str, Any]) -> str:
    rows = [_row(number, point) for number, point in enumerate(figures["points"], 1)]
    lines = [table(POINT, rows), *_explained(figures["points"]), ""]
    for entry in figures["entries"]:
        lines += _entry(entry)
    for pair in figures["comparison"] or ():
        lines += _pair(figures["entries"], pair)
    return "\n".join(lines).rstrip()


def _row(number: int, point: dict[str, Any]) -> list[Any]:
    answers = point["answers"]
    return [
        f"{number} {point['role']}",
        _load(point["load"]),
        point["requests"],
        sum(point["errors"].values()),
        _spread(answers["ttft_ms"]),
        _spread(answers["tpot_ms"]),
        _short(answers["rates"]["goodput"]),
        _short(answers["rates"]["tokens"]),
        f"{point['verdict']} {' '.join(point['findings'])}".rstrip(),
    ]


def _explained(points: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What the kinds of errors and the rules in the table mean."""
    from openhearth.bench.report import words

    errors = sum((Counter(point["errors"]) for point in points), Counter[str]())
    for kind, count in errors.most_common():
        yield f"{count} {kind}: {words.ERRORS[kind]}."
    for rule in dict.fromkeys(rule for point in points for rule in point["findings"]):
        yield f"{rule}: {words.FINDINGS[rule][0]}"


def _load(load: dict[str, Any]) -> str:
    if "rate" in load:
        return f"{load['rate']:.3g}/s"
    return f"{load['callers']} callers" if "callers" in load else load["arrivals"]


def _spread(spread: dict[str, Any] | None) -> str:
    if spread is None:
        return "-"
    return f"{_short(spread['p50']['value'])} / {_short(spread['p99']['value'])}"


def _short(value: float | None) -> str:
    return "∞" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _entry(entry: dict[str, Any]) -> list[str]:
    """What rule 2 wants told together."""
    capacity, cost = entry["capacity"], entry["cost"]
    parts = [f"class {entry['class']}"]
    if capacity:
        parts.append(f"capacity {capacity['rate']:.3g} requests/s")
    if cost and cost["per_million_useful"] is not None:
        parts.append(f"{cost['per_million_useful']:.3g} dollars per million useful tokens")
    lines = [f"{entry['model']} at {entry['url']}: {', '.join(parts)}."]
    if gate := entry["gate"]:
        if one := gate["agreement"]:
            lines.append(
                f"  log-probabilities: KL {one['kl']:.4g} ({one['kl_low']:.4g} to "
                f"{one['kl_high']:.4g}) nats, {one['first']:.1%} equal first choices, "
                f"{one['places']} tokens"
            )
        if one := gate["two_sample"]:
            lines.append(f"  two samples: p {one['p']:.3g}, distance up to {one['upper']:.3g}")
        scores = (f"{n} {t['served']:.0%}/{t['reference']:.0%}" for n, t in gate["tasks"].items())
        lines.append(f"  tasks, served and reference: {', '.join(scores) or '-'}")
        if gate["findings"]:
            lines.append(f"  findings: {', '.join(gate['findings'])}")
    return lines


def _pair(entries: list[dict[str, Any]], pair: dict[str, Any]) -> list[str]:
    ours, theirs = entries[pair["entry"]], entries[pair["against"]]
    lines = [f"{ours['url']} against {theirs['url']}, {pair['turns']} turns:"]
    for name, found in pair["ratios"].items():
        if found:
            sure = "" if found["differs"] else ", which may be chance"
            lines.append(
                f"  {name}: {found['value']:.3g} times ({found['low']:.3g} to "
                f"{found['high']:.3g}){sure}"
            )
    return lines
