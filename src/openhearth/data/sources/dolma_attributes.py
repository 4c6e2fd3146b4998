"""Attributes of the Dolma toolkit: spans with a score, a line for each line of the documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from openhearth.data.schema import Quarantine, Row
from openhearth.data.sources import jsonl
from openhearth.data.sources.files import File
from openhearth.data.sources.rpv2 import LARGEST

SPANS = pa.list_(pa.struct([("start", pa.uint32()), ("end", pa.uint32()), ("score", pa.float64())]))


def read_attributes(file: File, quarantine: Quarantine, names: Sequence[str]) -> Iterator[pa.Table]:
    """The named attributes of a file, some thousand rows at a time: `id`, and a column of `SPANS`
    each, without spans where a document has none. A broken line is a row without an id, so that
    rows stay those of the documents.
    """
    schema = pa.schema([("id", pa.string()), *((name, SPANS) for name in names)])
    for block in jsonl.read(file, quarantine):
        rows = []
        offset = block.offset
        for line in block.data.removesuffix(b"\n").split(b"\n"):
            try:
                rows.append(_row(orjson.loads(line), names))
            except (ValueError, TypeError, KeyError, AttributeError):
                quarantine.add("no attributes", file.name, offset)
                rows.append(_row({"id": None, "attributes": {}}, names))
            offset += len(line) + 1
        yield pa.Table.from_pylist(rows, schema=schema)


def _row(record: Any, names: Sequence[str]) -> Row:
    identity, attributes = record["id"], record["attributes"]
    if not isinstance(identity, str | None):
        raise TypeError("no id")
    return {"id": identity} | {
        name: [_span(*span) for span in attributes.get(name) or ()] for name in names
    }


def _span(start: Any, end: Any, score: Any) -> Row:
    if not (type(start) is type(end) is int and 0 <= start <= end < LARGEST):
        raise ValueError("no span")
    if not isinstance(score, int | float):
        raise TypeError("no number")
    return {"start": start, "end": end, "score": float(score)}


def scores(table: pa.Table, name: str) -> pa.Array:
    """The score of each document's first span, null where it has none: what a mixer tests as
    `$.attributes[?(@.NAME[0][2] < 1)]`.
    """
    column = table.column(name).combine_chunks()
    is_given = pc.greater(pc.list_value_length(column), 0)
    return pc.struct_field(pc.list_element(pc.if_else(is_given, column, None), 0), "score")
