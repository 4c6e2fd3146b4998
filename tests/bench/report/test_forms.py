"""A report in other forms."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from openhearth.bench.report.figures import Measurement
from openhearth.bench.report.forms import ABOUT, COLUMNS, FORMS, PERCENTILES, SPREADS
from openhearth.bench.report.page import page
from tests.bench import builders

EVIL = "a|b\n# <script>alert(1)</script> [x](javascript:alert(1)) `c`"


def shown(form: str, make: Callable[[], Measurement]) -> str:
    return FORMS[form](make().disclosure, builders.figured(make)).decode()


def rows(make: Callable[[], Measurement]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(shown("csv", make))))


def named(model: str) -> Measurement:
    made = builders.session(builders.TINY, model=model, url=model)
    made.point("ranked")
    return builders.measurement(made)


def test_json_is_the_figures_and_html_the_page() -> None:
    found = builders.figured(builders.a_run)
    assert json.loads(shown("json", builders.a_run)) == json.loads(json.dumps(found))
    assert shown("html", builders.a_run).encode() == page(builders.a_run().disclosure, found)


def test_csv_has_a_row_a_load_and_its_columns() -> None:
    found = rows(builders.a_comparison)
    points = builders.figured(builders.a_comparison)["points"]
    assert len(found) == len(points) == 6
    assert tuple(found[0]) == COLUMNS
    for row, point in zip(found, points, strict=True):
        assert float(row["goodput"]) == point["answers"]["rates"]["goodput"]
        assert float(row["ttft_ms_p99_high"]) == point["answers"]["ttft_ms"]["p99"]["high"]
        assert (row["role"], float(row["rate"])) == ("ranked", 2.0)


def test_csv_tells_what_is_infinite_from_what_is_not_there() -> None:
    (row,) = rows(builders.broken_off)
    assert row["ttft_ms_p99"] == "inf"
    assert row["callers"] == ""
    assert row["findings"] == "17 58"


@pytest.mark.parametrize("model", ["=1+1", "@x", "+1", "-1", EVIL])
def test_csv_has_no_formulas(model: str) -> None:
    (row,) = rows(lambda: named(model))
    assert row["model"][0] not in "=+-@"
    assert row["model"].lstrip("'") == model


def test_markdown_tells_together_what_belongs_together() -> None:
    text = shown("markdown", builders.a_sweep)
    (line,) = [one for one in text.splitlines() if one.startswith("| model")]
    assert "not gated" in line
    assert "$" in line
    assert "2025-06-15" in line
    text = shown("markdown", builders.broken_off)
    assert "partial" in text
    assert "no prices" in text
    assert "not searched" in text


def test_markdown_has_no_markup_of_others() -> None:
    text = shown("markdown", lambda: named(EVIL))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert len({len(line.replace("\\|", "").split("|")) for line in rows}) == 1
    assert "<script" not in text
    assert "](" not in text


def test_markdown_and_the_page_tell_which_tokens_were_billed() -> None:
    (entry,) = builders.figured(builders.a_run)["entries"]
    billed = entry["cost"]["billed"]
    assert billed["prompt"] == 100 * billed["completion"] / builders.TOKENS > 0
    assert f"{billed['prompt']} tokens of prompts (0 cached)" in shown("markdown", builders.a_run)
    assert f"{billed['prompt']} tokens of prompts, 0 of them cached" in shown(
        "html", builders.a_run
    )


def test_the_columns_are_those_of_the_reference() -> None:
    place = Path(__file__).parents[3] / "docs/reference/benchmark-reports.md"
    rows, _, rest = place.read_text().partition("Then come")
    told = [
        re.findall(r"`(\w+)`", row.split("|")[1]) for row in rows.splitlines() if row[:2] == "| "
    ]
    assert tuple(name for names in told for name in names) == ABOUT
    named = re.findall(r"`(\w+)`", rest.partition("## Board")[0])[3:]
    assert tuple(named) == SPREADS + PERCENTILES
