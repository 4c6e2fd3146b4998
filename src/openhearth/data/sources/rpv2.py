"""What RedPajama-V2 publishes beside its documents: signals, duplicates and MinHash signatures.

Signals come back as tables like those of `signal_table`, so that rules and verdicts need no second
pass over the text; they are joined to documents by id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from openhearth.data.schema import Quarantine, Row
from openhearth.data.signals.names import LINE_SIGNALS
from openhearth.data.signals.published import RPV2
from openhearth.data.sources import jsonl
from openhearth.data.sources.files import File
from openhearth.errors import NotFound, UsageError

DUPLICATES = ("shard_id", "doc_id", "digest")
MINHASH = ("shard_id", "id", "id_int")
LARGEST = 2**32  # characters of a document, and more than any has


def read_signals(
    file: File, quarantine: Quarantine, names: Sequence[str] = RPV2
) -> Iterator[pa.Table]:
    """The named signals of a file of records, some thousand rows at a time: `id`, `length`,
    `line_ends`, and a column each, null where a record has none.
    """
    for block in jsonl.read(file, quarantine):
        rows = []
        offset = block.offset
        for line in block.data.split(b"\n"):
            if line.strip():
                try:
                    rows.append(_row(orjson.loads(line), names))
                except (ValueError, TypeError, KeyError, AttributeError):
                    quarantine.add("no signals of RedPajama-V2", file.name, offset)
            offset += len(line) + 1
        yield pa.Table.from_pylist(rows, schema=schema(names))


def schema(names: Iterable[str]) -> pa.Schema:
    """That of a table of signals."""
    values, lines = pa.float64(), pa.list_(pa.float64())
    fields = [("id", pa.string()), ("length", pa.uint32()), ("line_ends", pa.list_(pa.uint32()))]
    return pa.schema(fields + [(n, lines if n in LINE_SIGNALS else values) for n in names])


def _row(record: Any, names: Sequence[str]) -> Row:
    """One record, as a row of a table of signals."""
    signals = record["quality_signals"]
    if isinstance(signals, str):  # in the samples on Hugging Face
        signals = orjson.loads(signals)
    row: Row = {"id": _string(record.get("id", record.get("doc_id"))), "length": 0, "line_ends": []}
    for name in names:
        spans = [_span(*span) for span in signals.get(name) or ()]
        if not spans:
            row[name] = [] if name in LINE_SIGNALS else None
            continue
        row["length"] = spans[-1][1]
        if name not in LINE_SIGNALS:
            row[name] = spans[0][2]
            continue
        spans = [span for span in spans if span[0] < span[1]]  # none in an empty text
        ends = [end for _, end, _ in spans]
        if row["line_ends"] not in ([], ends) or ends != sorted(set(ends)):
            raise ValueError("lines that are no lines")
        row["line_ends"], row[name] = ends, [value for _, _, value in spans]
    return row


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no id")
    return value


def _span(start: Any, end: Any, value: Any) -> tuple[int, int, float | None]:
    if not (type(start) is type(end) is int and 0 <= start <= end < LARGEST):
        raise ValueError("no span")
    if not isinstance(value, int | float | None):
        raise TypeError("no number")
    return start, end, None if value is None else float(value)


def align(table: pa.Table, ids: pa.Array) -> pa.Table:
    """The rows of a table with these ids, in their order; nulls where it has none."""
    return table.take(pc.index_in(ids, value_set=table.column("id").combine_chunks()))


def read_duplicates(path: Path) -> pa.Table:
    """The documents that came again, by the digest of their text: `shard_id`, `doc_id`, `digest`.

    Raises:
        NotFound: there is no such file.
        UsageError: it is none of RedPajama-V2's.
    """
    return _read(path, DUPLICATES, "duplicates")


def read_minhash(path: Path) -> pa.Table:
    """MinHash signatures: `shard_id`, `id`, `id_int`, and for each similarity `signature_sim…`, a
    list of bands, null for texts of fewer than 13 words.

    Raises:
        NotFound: there is no such file.
        UsageError: it is none of RedPajama-V2's.
    """
    return _read(path, MINHASH, "MinHash signatures")


def _read(path: Path, columns: Sequence[str], what: str) -> pa.Table:
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}: check its name.") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UsageError(f"{path} cannot be read as Parquet ({error}): fetch it again.") from error
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise UsageError(
            f"{path} holds no {what} of RedPajama-V2: it has no column {', '.join(missing)}."
        )
    return table
