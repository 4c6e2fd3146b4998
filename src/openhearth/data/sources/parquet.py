"""Parquet: documents of any layout, a few megabytes at a time, however large a row group is.

Read are our own columns, `datasets` (`text` and any others), FineWeb's, datatrove's (`metadata` is
a struct) and RedPajama-V2 samples (`raw_content`, `meta` in JSON). Columns have the names that they
have in `jsonl.py`. What has no column of its own stays in `metadata`: times as ISO 8601 in UTC and
decimals as text, bytes as text or, where they are none, as base64.

A place in a Parquet file is the number of a row or of a row group, not an offset in bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from openhearth.data.schema import (
    ALIASES,
    BLOCK_BYTES,
    BLOCK_ROWS,
    FIELDS,
    SCHEMA,
    Quarantine,
    Row,
    to_batch,
)
from openhearth.data.sources.files import Errors, File
from openhearth.data.sources.jsonl import TEXT, to_row

READS_BLOCKS = True
STEP_ROWS = 64  # decoded at once: a dictionary makes a small file of many long texts
Broken = (*Errors, pa.ArrowException, OverflowError, TypeError)


def read(file: File, quarantine: Quarantine) -> Iterator[Records]:
    """The rows of a file, a block at a time. A row group that is broken is set aside alone."""
    try:
        # Column chunks are streamed: by default Arrow reads those of a row group as a whole.
        with (
            file.open_raw() as stream,
            pq.ParquetFile(stream, buffer_size=1 << 20, pre_buffer=False) as parquet,
        ):
            if len(set(parquet.schema_arrow.names)) < len(parquet.schema_arrow.names):
                raise ValueError("several columns have one name")
            row = 0
            for group in range(parquet.num_row_groups):
                yield from _group(parquet, group, file.name, row, quarantine)
                row += parquet.metadata.row_group(group).num_rows
    except Broken as error:
        quarantine.add(f"not Parquet ({error})", file.name)


def _group(
    parquet: pq.ParquetFile, group: int, name: str, row: int, quarantine: Quarantine
) -> Iterator[Records]:
    held: list[pa.RecordBatch] = []
    try:
        for batch in parquet.iter_batches(STEP_ROWS, row_groups=[group]):
            held.append(batch)
            rows = sum(b.num_rows for b in held)
            if rows >= BLOCK_ROWS or sum(b.nbytes for b in held) >= BLOCK_BYTES:
                yield Records(name, row, pa.Table.from_batches(held))
                row += rows
                held = []
    except Broken as error:
        quarantine.add(f"not Parquet from here on ({error})", f"{name} row group {group}")
    if held:
        yield Records(name, row, pa.Table.from_batches(held))


@dataclass(frozen=True)
class Records:
    """Some rows of a file, from which row on, counted from 0."""

    file: str
    row: int
    table: pa.Table

    def batch(self, quarantine: Quarantine) -> pa.RecordBatch:
        """The documents that the rows are."""
        if _is_ours(self.table):
            return self._columns(quarantine)
        return to_batch(list(self._rows(quarantine)), quarantine)

    def _columns(self, quarantine: Quarantine) -> pa.RecordBatch:
        """Our own columns; texts never become Python objects."""
        table = self.table.combine_chunks()
        nothing = pa.nulls(table.num_rows, pa.string())
        column = {
            n: table[n].cast(pa.string()) if n in table.schema.names else nothing for n in FIELDS
        }
        if column["id"].null_count:
            numbers = range(self.row, self.row + table.num_rows)
            column["id"] = pc.coalesce(column["id"], pa.array([self._id(n) for n in numbers]))
        column["source"] = pc.coalesce(column["source"], self.file)
        whole = pa.table(column, SCHEMA)
        for missing in pc.indices_nonzero(whole["text"].is_null()).to_pylist():
            self._set_aside("no text", missing, quarantine)
        kept = whole.filter(whole["text"].is_valid()).combine_chunks()
        return (kept.to_batches() or [pa.RecordBatch.from_pylist([], SCHEMA)])[0]

    def _rows(self, quarantine: Quarantine) -> Iterator[Row]:
        for number, record in self._records(quarantine):
            row = to_row(record, self._id(self.row + number), self.file)
            if row is None:
                self._set_aside("no text", number, quarantine)
            else:
                yield row

    def _records(self, quarantine: Quarantine) -> Iterator[tuple[int, dict[str, Any]]]:
        """Rows as plain data; those that cannot be are set aside, one by one."""
        try:
            yield from list(enumerate(_to_plain(self.table)))
            return
        except Broken:
            pass
        for number in range(self.table.num_rows):
            try:
                record = _to_plain(self.table.slice(number, 1))[0]
            except UnicodeDecodeError:
                self._set_aside("not UTF-8", number, quarantine)
            except Broken as error:
                self._set_aside(f"not representable ({type(error).__name__})", number, quarantine)
            else:
                yield number, record

    def _id(self, number: int) -> str:
        return f"{self.file}/{number}"

    def _set_aside(self, reason: str, number: int, quarantine: Quarantine) -> None:
        quarantine.add(reason, f"{self.file} row {self.row + number}")


def _is_ours(table: pa.Table) -> bool:
    """Whether the columns are ours, with metadata as we write it, and all is UTF-8."""
    if "text" not in table.schema.names or not set(table.schema.names) <= set(FIELDS):
        return False
    if not all(_is_text(kind) for kind in table.schema.types):
        return False
    try:
        table.validate(full=True)
    except pa.ArrowInvalid:
        return False
    if "metadata" not in table.schema.names:
        return True
    return all(isinstance(_parsed(m), dict) for m in table["metadata"].drop_null().to_pylist())


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _parsed(value: str) -> Any:
    """What a text is in JSON; None if it is none."""
    try:
        return orjson.loads(value)
    except ValueError:
        return None


def _to_plain(table: pa.Table) -> list[dict[str, Any]]:
    """Rows with values that JSON has; metadata that is a JSON object in a string as that object."""
    names = table.schema.names
    columns = [_plain_column(name, table[name]) for name in names]
    records = pa.Table.from_arrays(columns, names).to_pylist()
    binary = [
        name for name, column in zip(names, columns, strict=True) if "binary" in str(column.type)
    ]
    for record in records:
        for name in binary:
            record[name] = _readable(record[name])
        name = "metadata" if "metadata" in record else "meta"
        if isinstance(value := record.get(name), str) and isinstance(_parsed(value), dict):
            del record[name]
            record["metadata"] = _parsed(value)
    return records


def _plain_column(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_timestamp(kind):
        text = column.cast(pa.timestamp(kind.unit)).cast(pa.string())
        text = pc.replace_substring(text, " ", "T", max_replacements=1)
        return pc.binary_join_element_wise(text, "Z", "") if kind.tz else text
    if (name in TEXT or ALIASES.get(name, name) in FIELDS) and _is_binary(kind):
        return column.cast(pa.string(), safe=False)  # if it is no UTF-8, its row is set aside
    return column.cast(_plain(kind))


def _plain(kind: pa.DataType) -> pa.DataType:
    """What values of a type become, so that JSON can hold them."""
    if pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
        return pa.string()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_plain(kind.value_type))
    return kind


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _readable(value: Any) -> Any:
    """Plain data with its bytes as text, or else as base64."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _readable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(inner) for inner in value]
    return value
