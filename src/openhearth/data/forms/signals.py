"""Signals as RedPajama-V2 publishes them: JSON lines, beside the documents that they are of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from openhearth.data.forms.jsonl import ByteWriter, compress
from openhearth.data.signals.published import RPV2, to_rpv2

DESCRIBED = ("url", "lang", "metadata")  # what records say of their documents


def described(documents: pa.RecordBatch | pa.Table, signals: pa.Table) -> pa.Table:
    """The signals of documents with what a record says of each of them."""
    for name in DESCRIBED:
        signals = signals.append_column(name, documents.column(name))
    return signals


@dataclass(frozen=True)
class RedPajamaSignals:
    """Writes what `described` gives; `compression` is that of `JsonLines`."""

    names: tuple[str, ...] = RPV2
    compression: str = ""

    @property
    def suffix(self) -> str:
        """Of its files."""
        return f".jsonl{self.compression}"

    def encode(self, table: pa.Table) -> bytes:
        """The rows as compressed lines."""
        lines = to_rpv2(table, table, self.names)
        return compress(b"".join(line + b"\n" for line in lines), self.compression)

    def writer(self, path: Path) -> ByteWriter:
        """A new file at `path`."""
        return ByteWriter(path)
