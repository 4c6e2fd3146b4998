"""Real text for the comparisons: modules of packages that every environment here has."""

from __future__ import annotations

import pyarrow as pa

from openhearth.data import read

PACKAGES = "python:networkx,sympy,torch,numpy,pyarrow,transformers,matplotlib,hypothesis,jinja2"


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
