"""Candidate pairs with their true similarity: documents that share a band, and the first that has
it.

The similarity is Jaccard's, of the sets of runs of words themselves and not of signatures. Pairs
and sets lie on disk. Held are 8 bytes for each block of the corpus, the pairs that half a million
documents have with earlier ones, and the sets of a few hundred pairs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from openhearth.data import pipeline
from openhearth.data.dedup.find import Duplicates
from openhearth.data.dedup.piles import Piles, ranges
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
FEW = 1 << 8  # pairs for which files are mapped together: pages stay in memory until they are not


@dataclass(frozen=True)
class Wanted:
    """Which documents are in pairs: a file with a bool for each one of the corpus.

    `parts` says which block, counted over the corpus, each part begins with, and `starts` which
    document each block begins with, int64.
    """

    file: Path
    parts: np.ndarray = field(repr=False)
    starts: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, file: Path, verdicts: Sequence[Path]) -> Wanted:
        counts = [[batch.num_rows for batch in batches(path)] for path in verdicts]
        parts = np.cumsum([0, *map(len, counts)])
        return cls(file, parts, np.cumsum([0, *(n for part in counts for n in part)]))

    def read(self, begin: int, count: int) -> np.ndarray:
        """bool [count]: whether documents are wanted, from one on."""
        return np.fromfile(self.file, bool, count, offset=begin)


@dataclass(frozen=True)
class Sets:
    """A step that gives the sets of runs of words of wanted documents, and drops the others."""

    words: int
    wanted: Wanted

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.Table:
        part, block = place(batch)
        begin = int(self.wanted.starts[self.wanted.parts[part] + block])
        rows = batch.filter(pa.array(self.wanted.read(begin, batch.num_rows)))
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
    places = work / "places"
    shutil.rmtree(places, ignore_errors=True)
    places.mkdir(parents=True)
    pairs = _pairs(found, places)
    _mark(pairs, found.documents, work / "wanted", places)
    wanted = Wanted.of(work / "wanted", found.files)
    step = Sets(words, wanted)
    report = pipeline.run(
        corpus, step, ArrowFile(SETS), work / "sets", executor, progress=progress, stage="pairs"
    )
    library = _Library(wanted, report.files)
    count = 0
    with pq.ParquetWriter(path, PAIRS, compression="zstd") as writer:
        for table in executor.map(partial(_measure, library), _chunks(pairs, found.documents)):
            writer.write_table(table)
            count += table.num_rows
    return count


def _pairs(found: Duplicates, work: Path) -> Piles:
    """Every pair once, by its first document."""
    links, pairs = Piles(work / "links", 2), Piles(work / "pairs", 2)
    with found.edges.open("rb") as file:
        while len(edges := np.fromfile(file, np.int64, 2 * CHUNK).reshape(-1, 2)):
            first, number = edges[edges[:, 0] >= 0].T
            links.add(number, first)
    for here in ranges(found.documents):  # each has few, but may be the first of any number
        mine = np.empty((2, 0), np.int64)
        for some in links.pieces(here):
            mine = np.unique(np.concatenate([mine, some], axis=1), axis=1)
        pairs.add(mine[1], mine[0])
        links.drop(here)
    return pairs


def _mark(pairs: Piles, documents: int, path: Path, work: Path) -> None:
    """Write which documents are in pairs, bool [documents]."""
    ends = Piles(work / "ends", 1)
    with path.open("wb") as file:
        for here in ranges(documents):
            wanted = np.zeros(len(here), bool)
            for first, number in pairs.pieces(here):
                wanted[first - here.start] = True
                ends.add(number)
            for (number,) in ends.pieces(here):  # no lower than the first of its pair
                wanted[number - here.start] = True
            ends.drop(here)
            wanted.tofile(file)


def _chunks(pairs: Piles, documents: int) -> Iterator[np.ndarray]:
    """int64 [p, 2], some at a time, about in the order of their first documents."""
    for here in ranges(documents):
        for first, number in pairs.pieces(here):
            order = np.lexsort([number, first])
            some = np.stack([first[order], number[order]], axis=1)
            yield from (some[i : i + CHUNK] for i in range(0, len(some), CHUNK))


@dataclass(frozen=True)
class _Library:
    """The sets on disk, by the numbers of their documents."""

    wanted: Wanted
    files: Sequence[Path]

    def reader(self) -> Callable[[int], tuple[str, np.ndarray]]:
        """Gives the id and the set of a document. Files stay mapped as long as it lives."""
        return partial(self._read, cache(self._batch))

    def _read(
        self, batch_of: Callable[[int], pa.RecordBatch], number: int
    ) -> tuple[str, np.ndarray]:
        block = int(np.searchsorted(self.wanted.starts, number, side="right")) - 1
        begin = int(self.wanted.starts[block])
        row = int(np.count_nonzero(self.wanted.read(begin, number - begin)))
        batch = batch_of(block)
        return batch.column("id")[row].as_py(), batch.column("set")[row].values.to_numpy()

    def _batch(self, block: int) -> pa.RecordBatch:
        part = int(np.searchsorted(self.wanted.parts, block, side="right")) - 1
        with pa.memory_map(str(self.files[part])) as mapped:
            return pa.ipc.open_file(mapped).get_batch(block - int(self.wanted.parts[part]))


def _measure(library: _Library, edges: np.ndarray) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for begin in range(0, len(edges), FEW):
        rows += _rows(library.reader(), edges[begin : begin + FEW])
    return pa.Table.from_pylist(rows, schema=PAIRS)


def _rows(
    sets: Callable[[int], tuple[str, np.ndarray]], edges: np.ndarray
) -> Iterator[dict[str, Any]]:
    for first, number in edges.tolist():
        (first_id, one), (identity, other) = sets(first), sets(number)
        common = len(np.intersect1d(one, other, assume_unique=True))
        yield {
            "first_id": first_id,
            "id": identity,
            "first": first,
            "number": number,
            "jaccard": common / (len(one) + len(other) - common),
        }
