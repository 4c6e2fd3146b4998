"""Duplicates that others have found: the ids that RedPajama-V2 publishes in its `duplicates`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from openhearth.data.corpus import account
from openhearth.data.forms import Output
from openhearth.data.funnel import Row, count_removed, funnel
from openhearth.data.pipeline import Report
from openhearth.data.schema import Corpus
from openhearth.data.sources.rpv2 import read_duplicates
from openhearth.data.tally import Tally
from openhearth.data.write import write
from openhearth.progress import Progress, silent
from openhearth.store import file_digest

NAME = "known duplicates"  # in the funnel


@dataclass(frozen=True)
class DropKnown:
    """A step that drops the documents with these ids."""

    ids: pa.Array

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.RecordBatch:
        tally.count("seen", batch.num_rows)
        known = pc.is_in(batch.column("id"), value_set=self.ids)
        count_removed(tally, NAME, batch.filter(known))
        return account(batch.filter(pc.invert(known)), tally)


def drop_known(
    corpus: Corpus,
    path: Path,
    output: Output,
    executor: Any = None,
    *,
    limit: int | None = None,
    progress: Progress = silent,
) -> tuple[list[Row], Report]:
    """Write a corpus without the documents that a file lists; the funnel, and the report.

    Raises:
        NotFound: there is no such file.
        UsageError: it is none of RedPajama-V2's duplicates.
        HearthError: more than `limit` records were set aside.
    """
    step = DropKnown(read_duplicates(path).column("doc_id").combine_chunks())
    settings = {"known": file_digest(path)}
    report = write(
        corpus, step, output, settings, executor, limit=limit, progress=progress, stage="dedup"
    )
    return funnel(report.tally, [NAME], report.tally.counts["seen"]), report
