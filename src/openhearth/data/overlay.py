"""Signals that were computed before, by us or by others: read by column, joined by document id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from openhearth.data.schema import Quarantine
from openhearth.data.shards import shard_names
from openhearth.data.signals import DOCUMENT_SIGNALS, LINE_SIGNALS
from openhearth.data.sources import rpv2
from openhearth.data.sources.files import File, list_files
from openhearth.errors import NotFound, UsageError
from openhearth.store import Store

ROWS = 16_384  # of a table: few enough that their lines' values stay in the cache
SHOWN = 3  # signals named of those that are missing


@dataclass(frozen=True)
class Joined:
    """Gives the signals of documents out of a table that has theirs among others."""

    table: pa.Table

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """A row for each document.

        Raises:
            UsageError: a document has none.
        """
        ids = batch.column("id")
        places = pc.index_in(ids, value_set=self.table.column("id").combine_chunks())
        if places.null_count:
            missing = ids.filter(places.is_null())[0].as_py()
            raise UsageError(
                f"There are no signals of {missing}: they are of other documents, compute them "
                "again."
            )
        return self.table.take(places)


def read_overlay(location: str, columns: Sequence[str]) -> pa.Table:
    """The tables of `overlay_tables` as one."""
    return pa.concat_tables(overlay_tables(location, columns))


def overlay_tables(location: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The named columns of all documents, some thousand at a time: signals, `id`, and `line_ends`.

    `location` is a Parquet file as `hearth data signals` writes it, a file of RedPajama-V2's
    records, a folder of such files, or signals in the store (or a dataset that was made of some).

    Raises:
        NotFound: there are none.
        UsageError: they lack one of the signals.
    """
    for file in _files(location):
        yield from _read(file, list(columns), location)


def _read(file: File, columns: list[str], location: str) -> Iterator[pa.Table]:
    if file.suffix != ".parquet":
        quarantine = Quarantine()
        names = [name for name in columns if name not in ("id", "line_ends")]
        found = list(rpv2.read_signals(file, quarantine, names))
        if quarantine.total or not found:
            raise UsageError(f"{location} holds no signals of RedPajama-V2: give another file.")
        table = pa.concat_tables(found)
        # What records do not have is undefined; scores may be that for every document.
        computed = [name for name in names if name in (*DOCUMENT_SIGNALS, *LINE_SIGNALS)]
        _refuse([name for name in computed if _is_empty(table[name])], location)
        yield table.select(columns)
        return
    try:
        with file.open_raw() as stream, pq.ParquetFile(stream) as shard:
            _refuse([n for n in columns if n not in shard.schema_arrow.names], location)
            yield pa.Table.from_batches(
                [], pa.schema([shard.schema_arrow.field(n) for n in columns])
            )
            for batch in shard.iter_batches(ROWS, columns=columns):
                yield pa.Table.from_batches([batch]).select(columns)
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{location} cannot be read as Parquet ({error}).") from error


def _is_empty(column: pa.ChunkedArray) -> bool:
    """Whether a signal has no value for any document, or for any line."""
    values = pc.list_flatten(column) if pa.types.is_list(column.type) else column
    return values.null_count == len(values)


def _refuse(missing: list[str], location: str) -> None:
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise UsageError(
            f"{location} has no {', '.join(missing[:SHOWN])}{more}: compute what these rules look "
            "at with `hearth data signals --rules`."
        )


def is_path(location: str) -> bool:
    """Whether a location means files, and not something in the store."""
    return Path(location).exists() or "://" in location


def _files(location: str) -> list[File]:
    if is_path(location):
        files = [f for f in list_files(location) if f.suffix in (".parquet", ".jsonl", ".json")]
        if not files:
            raise NotFound(f"{location} holds no files of signals: give another folder.")
        return files
    artifact = Store().get(location)
    if digest := artifact.manifest.inputs.get("signals"):  # of a dataset
        artifact = Store().load(digest)
    if artifact.kind != "signals":
        raise UsageError(f"{location} ({artifact.kind}) has no signals: name a curated dataset.")
    names = shard_names(artifact, "signals")
    return [File(str(artifact.path(name)), name, 0, "") for name in names]
