"""How large each document of a slice is, in bytes or tokens: what a mixture is measured by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from openhearth.data.forms import Parquet
from openhearth.data.pipeline import place
from openhearth.data.select.sample import uniform
from openhearth.data.select.scores import name_hashes
from openhearth.data.tally import Tally
from openhearth.data.tokenizer import Tokenizer
from openhearth.data.tokens.texts import encode_texts

LEVELS = 1 << 16  # to which chance is told apart


class Measure(Protocol):
    """Sizes of texts, int64 [n]."""

    def __call__(self, texts: pa.Array) -> np.ndarray: ...


@dataclass(frozen=True)
class Bytes:
    """Bytes of UTF-8."""

    def __call__(self, texts: pa.Array) -> np.ndarray:
        return pc.binary_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)


@dataclass(frozen=True)
class Tokens:
    """Tokens of one model; `digest` says which."""

    digest: str
    tokenizer: Tokenizer

    def __call__(self, texts: pa.Array) -> np.ndarray:
        lengths = (len(ids) for ids in encode_texts(self.tokenizer, texts.to_pylist()))
        return np.fromiter(lengths, np.int64, len(texts))

    def __repr__(self) -> str:
        return f"Tokens({self.digest})"


@dataclass(frozen=True)
class Size:
    """A step that gives for each document the block where it lies, its name's hash, its size."""

    measure: Measure

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.Table:
        sizes = self.measure(batch.column("text"))
        tally.count("size", int(sizes.sum()))
        _, block = place(batch)
        return pa.table(
            {
                "block": np.full(batch.num_rows, block, np.int32),
                "name": name_hashes(batch),
                "size": sizes,
            }
        )

    def form(self) -> Parquet:
        """How its tables are written."""
        return Parquet(pa.schema({"block": pa.int32(), "name": pa.uint64(), "size": pa.int64()}))


@dataclass(frozen=True)
class Sizes:
    """The documents of one part, in their order: block, size, and a level of chance of each."""

    block: np.ndarray
    size: np.ndarray
    level: np.ndarray  # 0 to LEVELS - 1


def read_sizes(files: Sequence[Path], seed: int, stream: str) -> Iterator[Sizes]:
    """The sizes in files, a part at a time; chance is that of a seed and a stream."""
    for path in files:
        table = pq.read_table(path)
        block, name, size = (table.column(c).to_numpy() for c in ("block", "name", "size"))
        yield Sizes(block, size, (uniform(name, seed, stream) * LEVELS).astype(np.int64))


def cut(parts: Iterator[Sizes], wanted: float) -> int:
    """The level below which documents have together nearly the size that is wanted."""
    sums = np.zeros(LEVELS + 1, np.int64)
    for part in parts:
        # In integers: bincount's weights would be rounded.
        np.add.at(sums, part.level + 1, part.size)
    return int(np.abs(np.cumsum(sums) - wanted).argmin())
