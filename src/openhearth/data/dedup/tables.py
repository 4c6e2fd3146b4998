"""Tables that lie beside a corpus while duplicates are looked for: an Arrow file a part, a batch a
block, empty ones too, so that a step finds those of the block that it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from openhearth.data.pipeline import place


@dataclass(frozen=True)
class ArrowFile:
    """Tables of one schema as they lie in memory."""

    schema: pa.Schema

    @property
    def suffix(self) -> str:
        """Of its files."""
        return ".arrow"

    def encode(self, table: pa.Table | pa.RecordBatch) -> pa.RecordBatch:
        """The table as one batch."""
        if isinstance(table, pa.RecordBatch):
            return table
        batches = table.combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=self.schema)

    def writer(self, path: Path) -> ArrowWriter:
        """A new file at `path`."""
        return ArrowWriter(path, self.schema)


class ArrowWriter:
    """Writes batches to a new file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._file = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._file, schema)

    def write(self, encoded: pa.RecordBatch) -> None:
        self._writer.write_batch(encoded)

    def close(self) -> None:
        self._writer.close()
        self._file.close()


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The batches of a file, in their order, one at a time in memory."""
    with pa.OSFile(str(path)) as file:  # of a mapped one all pages that were read would stay
        reader = pa.ipc.open_file(file)
        for i in range(reader.num_record_batches):
            yield reader.get_batch(i)


def rows_of(path: Path) -> int:
    """How many rows a file has."""
    return sum(batch.num_rows for batch in batches(path))


def beside(batch: pa.RecordBatch, files: Sequence[Path]) -> pa.RecordBatch:
    """What a part's file has for the block that a step was given."""
    part, block = place(batch)
    with pa.memory_map(str(files[part])) as mapped:
        return pa.ipc.open_file(mapped).get_batch(block)
