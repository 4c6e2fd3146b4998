"""Parquet, compressed with zstd: a row group a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from openhearth.data.schema import SCHEMA


@dataclass(frozen=True)
class Parquet:
    """Tables as they are; `schema` is what a file without rows gets."""

    schema: pa.Schema = SCHEMA

    @property
    def suffix(self) -> str:
        """Of its files."""
        return ".parquet"

    def encode(self, table: pa.Table | pa.RecordBatch) -> pa.Table:
        """The batch as a table."""
        return pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table

    def writer(self, path: Path) -> ParquetWriter:
        """A new file at `path`."""
        return ParquetWriter(path, self.schema)


class ParquetWriter:
    """Writes tables of one schema, that of the first, to a new file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._writer: pq.ParquetWriter | None = None

    def write(self, encoded: pa.Table) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, encoded.schema, compression="zstd")
        if encoded.num_rows:
            self._writer.write_table(encoded)

    def close(self) -> None:
        if self._writer is None:
            self.write(self._schema.empty_table())
        assert self._writer is not None
        self._writer.close()
