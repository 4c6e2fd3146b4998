"""A report in other forms: Markdown to paste, CSV with a row a load, JSON, and the page.

Each takes a disclosure and the figures of its records, and gives bytes.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from typing import Any

from openhearth.bench.report import words
from openhearth.bench.report.disclosure import Disclosure, whole
from openhearth.bench.report.page import findings, page

Plain = dict[str, Any]
Form = Callable[[Disclosure, Plain], bytes]

SPREADS = ("ttft_ms", "tpot_ms", "itl_ms", "e2e_ms", "fluidity")
PERCENTILES = ("p50", "p90", "p95", "p99")
ABOUT = (
    "point", "entry", "model", "url", "role", "arrivals", "rate", "callers", "longer", "began",
    "seconds", "requests", "errors", "window_requests", "verdict", "valid", "findings", "misses",
    "miss_low", "miss_high", "goodput", "tokens_per_s", "total_tokens_per_s",
    "useful_tokens_per_s", "prompt_tokens", "answer_tokens", "lateness_p99_ms",
)  # fmt: skip
COLUMNS = ABOUT + tuple(
    f"{spread}_{percentile}{end}"
    for spread in SPREADS
    for percentile in PERCENTILES
    for end in ("", "_low", "_high")
)


def markdown(disclosure: Disclosure, figures: Plain) -> bytes:
    """What rule 2 wants told together, a table of loads that speak for entries, and findings."""
    objective = words.objective(disclosure.recipe.model_dump(mode="json")["objective"])
    lines = [f"**{_text(figures['recipe'])}**, objective: {objective}.", ""]
    rows = [_entry(place, entry, figures) for place, entry in enumerate(figures["entries"])]
    lines += _table(
        ["entry", "capacity /s", "$ per million useful tokens", "class", "TTFT ms P50 / P99",
         "TPOT ms P50 / P99", "goodput /s", "date", "protocol", "ranked"], rows
    )  # fmt: skip
    told = [f"- {one.said} ({one.rule}; {one.where})" for one in findings(figures)]
    told += [_billed(place, one) for place, one in enumerate(figures["entries"]) if one["cost"]]
    told += [_pair(pair) for pair in figures["comparison"] or ()]
    lines += ["", *told, ""] if told else [""]
    lines += [f"Recipe `{figures['recipe_digest'][:12]}`, seed {disclosure.seed}; intervals, "
              "errors and disclosure are in the report."]  # fmt: skip
    return ("\n".join(lines) + "\n").encode()


def table(disclosure: Disclosure, figures: Plain) -> bytes:
    """CSV with the columns `COLUMNS`: a row a load; times in milliseconds but for `began` (Unix
    seconds), what does not exist is empty and what is infinite is `inf`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, point in enumerate(figures["points"], 1):
        writer.writerow([_safe(value) for value in _row(number, point, figures)])
    return text.getvalue().encode()


def _entry(place: int, entry: Plain, figures: Plain) -> list[str]:
    name = f"{_text(entry['model'])} at {_text(entry['url'])}"
    capacity, cost, spoken = entry["capacity"], entry["cost"], entry["headline"]
    answers = figures["points"][spoken]["answers"] if spoken is not None else None
    return [
        f"{words.letter(place)}: {name}" if len(figures["entries"]) > 1 else name,
        words.number(capacity["rate"]) if capacity else "not searched",
        words.dollars(cost["per_million_useful"]) if cost else "no prices",
        "not gated" if entry["class"] == "ungated" else entry["class"],
        _both(answers and answers["ttft_ms"]),
        _both(answers and answers["tpot_ms"]),
        words.number(answers["rates"]["goodput"]) if answers else "-",
        words.day(figures["created"]),
        str(figures["protocol"]),
        "yes" if entry["ranked"] else "partial" if figures["partial"] else "no",
    ]


def _billed(place: int, entry: Plain) -> str:
    """The mix that the entry's price is of (rule 46); single prices need several (rule 49)."""
    billed, spent = entry["cost"]["billed"], words.dollars(entry["cost"]["spent"])
    return (
        f"- {words.letter(place)} cost {spent} in {words.number(billed['seconds'])} s, for "
        f"{billed['prompt']} tokens of prompts ({billed['cached']} cached) and "
        f"{billed['completion']} of answers, as billed"
    )


def _both(spread: Plain | None) -> str:
    if not spread:
        return "-"
    return " / ".join(words.number(spread[name]["value"]) for name in ("p50", "p99"))


def _pair(pair: Plain) -> str:
    told = [
        f"{name.upper()} {words.number(one['value'])} times ({words.number(one['low'])} to "
        f"{words.number(one['high'])}){'' if one['differs'] else ', which may be chance'}"
        for name, one in pair["ratios"].items()
        if one
    ]
    ours, theirs = words.letter(pair["entry"]), words.letter(pair["against"])
    return f"- {ours} against {theirs}, {pair['turns']} turns: {'; '.join(told) or 'no ratio'}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _text(value: str) -> str:
    """Text of others within a line of Markdown: no markup, no HTML, no end of the line."""
    return re.sub(
        r"([\\`*_{}\[\]()#+!|~])", r"\\\1", html.escape(" ".join(value.split()), quote=False)
    )


def _row(number: int, point: Plain, figures: Plain) -> list[Any]:
    answers, entry = point["answers"], figures["entries"][point["entry"]]
    decided, rates, late = answers["objective"], answers["rates"], point["lateness"]
    about = [
        number, point["entry"], entry["model"], entry["url"], point["role"],
        point["load"]["arrivals"], point["load"].get("rate"), point["load"].get("callers"),
        point["longer"], point["began"], point["seconds"], point["requests"],
        sum(point["errors"].values()), answers["requests"], point["verdict"], point["valid"],
        " ".join(rule.replace("rule ", "") for rule in point["findings"]), decided["misses"],
        decided["low"], decided["high"], rates["goodput"], rates["tokens"],
        rates["total_tokens"], rates["useful_tokens"], answers["prompt_tokens"],
        answers["tokens"], late["p99_ms"] if late else None,
    ]  # fmt: skip
    for spread in SPREADS:
        for percentile in PERCENTILES:
            one = answers[spread] and answers[spread][percentile]
            about += [_infinite(one[end]) if one else None for end in ("value", "low", "high")]
    return about


def _infinite(value: float | None) -> Any:
    return "inf" if value is None else value


def _safe(value: Any) -> Any:
    """Spreadsheets take text that begins so for a formula."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


FORMS: dict[str, Form] = {
    "markdown": markdown,
    "csv": table,
    "json": lambda disclosure, figures: whole(figures),
    "html": page,
}
