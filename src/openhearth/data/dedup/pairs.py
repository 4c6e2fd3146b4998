"""Candidate pairs with their true similarity: documents that share a band, and the first that has
it.

The similarity is Jaccard's, of the sets of runs of words themselves and not of signatures. 16 bytes
are held for each pair; the sets lie on disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from openhearth.data import pipeline
from openhearth.data.dedup.find import Duplicates
from openhearth.data.dedup.tables import ArrowFile, batches
from openhearth.data.executors import Threads
from openhearth.data.ngram_index import run_keys
from openhearth.data.pipeline import place
from openhearth.data.schema import Corpus
from openhearth.data.tally import Tally
from openhearth.progress import Progress, silent

PAIRS = pa.schema(
    [
        ("first_id", pa.string()),
        ("id", pa.string()),
        ("first", pa.int64()),  # numbers of the documents, counted from 0 over the corpus
        ("number", pa.int64()),
        ("jaccard", pa.float64()),
    ]
)
SETS = pa.schema([("id", pa.string()), ("set", pa.list_(pa.uint64()))])
CHUNK = 1 << 14  # pairs written together


@dataclass(frozen=True)
class Sets:
    """A step that gives the sets of runs of words of some documents, and drops the others.

    `wanted` is a file of their numbers, rising; `starts` says with which number a block begins.
    """

    words: int
    wanted: Path
    starts: Mapping[tuple[int, int], int]

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.Table:
        wanted = np.load(self.wanted, mmap_mode="r")
        begin = self.starts[place(batch)]
        low, high = np.searchsorted(wanted, [begin, begin + batch.num_rows])
        rows = batch.take(pa.array(wanted[low:high] - begin))
        keys, offsets = run_keys(rows.column("text"), self.words)
        sets = [np.unique(keys[a:b]) for a, b in pairwise(offsets.tolist())]
        ends = np.cumsum([0, *map(len, sets)], dtype=np.int32)
        flat = np.concatenate([np.empty(0, np.uint64), *sets])
        lists = pa.ListArray.from_arrays(ends, flat)
        return pa.table({"id": rows.column("id"), "set": lists}, schema=SETS)


def write_pairs(
    corpus: Corpus,
    found: Duplicates,
    words: int,
    path: Path,
    work: Path,
    *,
    executor: Any = None,
    progress: Progress = silent,
) -> int:
    """Write `PAIRS` as Parquet; how many there are. `found` is what `find` found in the corpus.

    Pairs with what an index holds are left out, since its texts are not at hand.
    """
    executor = executor or Threads()
    edges = np.fromfile(found.edges, np.int64).reshape(-1, 2)
    edges = np.unique(edges[edges[:, 0] >= 0], axis=0)
    wanted = work / "wanted.npy"
    work.mkdir(parents=True, exist_ok=True)
    np.save(wanted, np.unique(edges))
    step = Sets(words, wanted, _starts(found.files))
    report = pipeline.run(
        corpus, step, ArrowFile(SETS), work / "sets", executor, progress=progress, stage="pairs"
    )
    library = _Library.open(np.load(wanted), report.files)
    chunks = (edges[i : i + CHUNK] for i in range(0, len(edges), CHUNK))
    with pq.ParquetWriter(path, PAIRS, compression="zstd") as writer:
        for table in executor.map(partial(_measure, library), chunks):
            writer.write_table(table)
    return len(edges)


def _starts(verdicts: Sequence[Path]) -> dict[tuple[int, int], int]:
    starts, number = {}, 0
    for part, path in enumerate(verdicts):
        for block, batch in enumerate(batches(path)):
            starts[part, block] = number
            number += batch.num_rows
    return starts


@dataclass(frozen=True)
class _Library:
    """The sets on disk, by the numbers of their documents."""

    wanted: np.ndarray
    batches: Sequence[pa.RecordBatch]
    ends: np.ndarray = field(repr=False)  # how many documents the batches have up to each

    @classmethod
    def open(cls, wanted: np.ndarray, files: Sequence[Path]) -> _Library:
        held = [batch for path in files for batch in batches(path)]
        return cls(wanted, held, np.cumsum([batch.num_rows for batch in held]))

    def __call__(self, number: int) -> tuple[str, np.ndarray]:
        rank = int(np.searchsorted(self.wanted, number))
        which = int(np.searchsorted(self.ends, rank, side="right"))
        batch = self.batches[which]
        row = rank - int(self.ends[which]) + batch.num_rows
        return batch.column("id")[row].as_py(), batch.column("set")[row].values.to_numpy()


def _measure(library: _Library, edges: np.ndarray) -> pa.Table:
    return pa.Table.from_pylist(list(_rows(library, edges)), schema=PAIRS)


def _rows(library: _Library, edges: np.ndarray) -> Iterator[dict[str, Any]]:
    for first, number in edges.tolist():
        (first_id, one), (identity, other) = library(first), library(number)
        common = len(np.intersect1d(one, other, assume_unique=True))
        yield {
            "first_id": first_id,
            "id": identity,
            "first": first,
            "number": number,
            "jaccard": common / (len(one) + len(other) - common),
        }
