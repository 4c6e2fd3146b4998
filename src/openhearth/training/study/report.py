"""The report of a study: a table of all runs, the findings as JSON, and a page with plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from openhearth.page import render
from openhearth.store import Draft
from openhearth.training.study import plots
from openhearth.training.study.findings import SliceFound
from openhearth.training.study.recipe import StudyRecipe
from openhearth.training.study.table import table
from openhearth.training.study.trials import Trial

TEMPLATE = Path(__file__).with_name("report.html.jinja")
RESULTS, FINDINGS, PAGE = "results.parquet", "findings.json", "index.html"


def write(
    draft: Draft, recipe: StudyRecipe, found: Sequence[SliceFound], tried: Sequence[Trial]
) -> None:
    """Put all three into an artifact.

    Raises:
        MissingExtra: matplotlib or jinja2 is not installed.
    """
    rows = table(found)
    pq.write_table(rows, draft.path(RESULTS))
    said = findings(found, tried)
    draft.path(FINDINGS).write_bytes(orjson.dumps(said, option=orjson.OPT_INDENT_2))
    draft.path(PAGE).write_bytes(_page(recipe, found, tried, rows.num_rows))
    draft.metrics |= {
        "runs": rows.num_rows,
        "best": {each.slice: each.best.mix for each in found},
        "held": {each.slice: [p.held for p in each.predictions] for each in found},
    }


def findings(found: Sequence[SliceFound], tried: Sequence[Trial]) -> dict[str, Any]:
    """What a study found, as plain data; an interval is value, low and high."""
    said = {
        each.slice: {
            "best": each.best.mix,
            "laws": each.laws,
            "standings": each.standings,
            "predictions": [
                {**orjson.loads(orjson.dumps(p)), "held": p.held} for p in each.predictions
            ],
        }
        for each in found
    }
    return orjson.loads(orjson.dumps({"slices": said, "probes": list(tried)}))


def _page(
    recipe: StudyRecipe, found: Sequence[SliceFound], tried: Sequence[Trial], runs: int
) -> bytes:
    return render(
        TEMPLATE,
        recipe=recipe,
        found=found,
        tried=tried,
        runs=runs,
        plots=[
            {
                "frontier": plots.frontier(each),
                "equal_flops": plots.equal_flops(each),
                "predictions": plots.predictions(
                    each.predictions, f"Predictions and measurements, {each.slice}"
                )
                if each.predictions
                else "",
            }
            for each in found
        ],
        probes=plots.probes(tried) if tried else "",
    )
