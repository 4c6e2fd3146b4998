"""The funnel: what each step saw and removed, with examples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from openhearth.data.tally import EXAMPLES, Tally

EXAMPLE_CHARACTERS = 200
Row = dict[str, Any]


def count_removed(
    tally: Tally, step: str, documents: pa.RecordBatch, values: Sequence[float] | np.ndarray = ()
) -> None:
    """Count what a step removed; `values` are those that decided, shown with the examples."""
    tally.count(f"removed:{step}", documents.num_rows)
    characters = pc.sum(pc.utf8_length(documents.column("text"))).as_py()
    tally.count(f"characters:{step}", characters or 0)
    for i, row in enumerate(documents.slice(0, EXAMPLES).to_pylist()):
        value = {"value": round(float(values[i]), 4)} if i < len(values) else {}
        tally.example(step, {"id": row["id"], "text": _short(row["text"])} | value)


def funnel(tally: Tally, steps: Iterable[str], seen: int) -> list[Row]:
    """A row for each step, in order: what it saw, removed and kept, and a few examples."""
    rows = []
    for step in steps:
        removed = tally.counts[f"removed:{step}"]
        rows.append(
            {
                "name": step,
                "documents": seen,
                "removed": removed,
                "kept": seen - removed,
                "characters": tally.counts[f"characters:{step}"],
                "lines": tally.counts[f"lines:{step}"],
                "examples": tally.examples.get(step, []),
            }
        )
        seen -= removed
    return rows


def never_fired(rows: Sequence[Row]) -> list[str]:
    """The steps that removed neither documents nor lines."""
    return [row["name"] for row in rows if not row["removed"] and not row["lines"]]


def _short(text: str) -> str:
    line = " ".join(text[: 4 * EXAMPLE_CHARACTERS].split())
    return line if len(line) <= EXAMPLE_CHARACTERS else line[: EXAMPLE_CHARACTERS - 1] + "…"
