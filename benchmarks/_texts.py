"""Real text for the comparisons: modules of packages that every environment here has."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa

from openhearth.data import read
from openhearth.data.schema import BLOCK_BYTES

PACKAGES = "python:installed"


def texts() -> list[str]:
    """The modules, the same on every machine with the same versions."""
    corpus = read(PACKAGES)
    return [text for batch in corpus.batches() for text in batch.column("text").to_pylist()]


def sample(location: str, most: float) -> pa.Array:
    """The texts of a location, or every so many of them, that have together so many bytes."""
    column = pa.Table.from_batches(read(location).batches()).column("text").combine_chunks()
    return thinned(column, most)


def thinned(column: pa.Array, most: float) -> pa.Array:
    """Every so many texts, that have together so many bytes."""
    return column.take(pa.array(range(0, len(column), max(1, int(megabytes(column) * 1e6 / most)))))


def megabytes(column: pa.Array) -> float:
    return sum(len(text.encode()) for text in column.to_pylist()) / 1e6


def pieces(column: pa.Array) -> list[pa.Array]:
    """The texts in pieces of the size of the pipeline's blocks."""
    sizes = [len(text.encode()) for text in column.to_pylist()]
    cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // BLOCK_BYTES)) + 1
    ends = pairwise([0, *cuts.tolist(), len(column)])
    return [column.slice(begin, end - begin) for begin, end in ends]
