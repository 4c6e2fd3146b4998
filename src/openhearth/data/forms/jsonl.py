"""JSON lines, plain or compressed. Each batch is a gzip member or a zstd frame of its own, so that
batches are compressed by many threads, and files are joined by joining their bytes.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import zstandard

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    # No time in the header, so that equal batches are equal bytes.
    ".gz": lambda data: gzip.compress(data, 6, mtime=0),
    ".zst": lambda data: zstandard.ZstdCompressor(level=3).compress(data),
}


@dataclass(frozen=True)
class JsonLines:
    """`record` makes of a row what is written; `compression` is a key of `COMPRESSORS`."""

    record: Callable[[dict[str, Any]], dict[str, Any]]
    compression: str = ""

    @property
    def suffix(self) -> str:
        """Of its files."""
        return f".jsonl{self.compression}"

    def encode(self, table: pa.Table | pa.RecordBatch) -> bytes:
        """The rows as compressed lines."""
        lines = [orjson.dumps(self.record(row)) for row in table.to_pylist()]
        return compress(b"".join(line + b"\n" for line in lines), self.compression)

    def writer(self, path: Path) -> ByteWriter:
        """A new file at `path`."""
        return ByteWriter(path)


def compress(data: bytes, compression: str) -> bytes:
    """Nothing of nothing: empty members only take space."""
    return COMPRESSORS[compression](data) if data else b""


class ByteWriter:
    """Appends bytes to a new file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, encoded: bytes) -> None:
        self._file.write(encoded)

    def close(self) -> None:
        self._file.close()
