"""Figures of foreign records by our definitions, and a directory of both.

Tokens are those that the file tells, most often the server's own count. There is no
`disclosure.json`: what `hearth bench` verifies, ranks and compares, this is not.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from openhearth.bench.foreign.results import Foreign
from openhearth.bench.measures import spread
from openhearth.bench.measures.intervals import BLOCK_S
from openhearth.bench.records import Record, well, write_records
from openhearth.bench.report.disclosure import whole
from openhearth.errors import UsageError
from openhearth.store import explain_disk_errors, write_atomically

FIGURES, RECORDS = "foreign.json", "records.parquet"
MILLISECONDS = 1e3


def figures(it: Foreign) -> dict[str, Any]:
    """Plain data: what the file is of, what it does not tell, and the figures of each load."""
    points = sorted({record.point for record in it.records})
    return {
        "foreign": it.tool,
        "version": it.version,
        "model": it.model,
        "ranked": False,
        "class": "ungated",
        "missing": list(it.missing),
        "points": [_point([r for r in it.records if r.point == point]) for point in points],
    }


def write_foreign(directory: Path, it: Foreign) -> dict[str, Any]:
    """Write records and figures to a new directory.

    Raises:
        UsageError: it is there already.
        HearthError: the disk is full or cannot be written.
    """
    if directory.exists():
        raise UsageError(f"{directory} is there already: name a new directory.")
    found = figures(it)
    with explain_disk_errors(directory.absolute().parent):
        directory.mkdir(parents=True)
        try:
            write_records(directory / RECORDS, it.records)
            write_atomically(directory / FIGURES, whole(found))
        except BaseException:
            shutil.rmtree(directory)
            raise
    return found


def _point(records: Sequence[Record]) -> dict[str, Any]:
    good = [record for record in well(records) if not record.hung_up]
    seconds = max((r.ended or 0.0 for r in records), default=0.0)
    tokens = sum(record.completion_tokens or 0 for record in good)
    return {
        "requests": len(records),
        "errors": len(records) - len(well(records)),
        "seconds": seconds,
        "ttft_ms": _spread(good, _ttft),
        "tpot_ms": _spread(good, _tpot),
        "e2e_ms": _spread(good, _e2e),
        "tokens_per_second": tokens / seconds if seconds > 0 else None,
        "requests_per_second": len(good) / seconds if seconds > 0 else None,
    }


def _spread(records: Sequence[Record], of: Any) -> dict[str, Any] | None:
    values = [of(record) for record in records]
    pairs = [[] if value is None else [(MILLISECONDS * value, 1)] for value in values]
    found = spread(pairs, [int(record.due // BLOCK_S) for record in records])
    return None if found is None else asdict(found)


def _ttft(record: Record) -> float | None:
    return record.chunks[0].at - record.due if record.chunks else None


def _tpot(record: Record) -> float | None:
    """Rule 22, as if the first chunk had one token: how many it had, the file does not tell."""
    after = (record.completion_tokens or 0) - 1
    if after < 1 or len(record.chunks) < 2:
        return None
    return (record.chunks[-1].at - record.chunks[0].at) / after


def _e2e(record: Record) -> float | None:
    return None if record.ended is None else record.ended - record.due
