"""What the tests of readers share."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from openhearth.data import Corpus, read
from openhearth.data.sources.files import File


@dataclass(frozen=True)
class Held(File):
    """A file in memory."""

    data: bytes

    def open_raw(self) -> BinaryIO:
        return io.BytesIO(self.data)


def rows_of(corpus: Corpus) -> list[dict[str, Any]]:
    return [row for batch in corpus.batches() for row in batch.to_pylist()]


def read_bytes(path: Path, data: bytes) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    path.write_bytes(data)
    corpus = read(str(path))
    return rows_of(corpus), corpus.quarantine.examples
