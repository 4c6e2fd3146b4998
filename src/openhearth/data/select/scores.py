"""A pass over a corpus that leaves a row for each document: what it scores for each target.

A row does not depend on how many documents are chosen, nor by what chance, so that another choice
needs no second look at the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from openhearth.data.filter import SignalsOf
from openhearth.data.forms import Parquet
from openhearth.data.hashes import hash_words
from openhearth.data.pipeline import place
from openhearth.data.select.features import Features, count_words
from openhearth.data.select.sample import PLACE
from openhearth.data.signals.compute import Weights
from openhearth.data.tally import Tally

METADATA = "metadata:"  # what `per` begins with where a field of the metadata groups documents


class Scorer(Protocol):
    """Scores documents: float64 [n, targets], NaN where undefined; and int64 [n], their words."""

    def __call__(self, batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass(frozen=True)
class Importance:
    """Log-importance for each target, undefined without words: the sum over a document's features,
    or if `per_word` their mean.
    """

    features: Features
    weights: Weights
    per_word: bool = False

    def __call__(self, batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
        sums, words = self.features.importance(batch.column("text"), self.weights)
        sums[words == 0] = np.nan
        if self.per_word:
            sums /= np.maximum(1, 2 * words - 1)[:, None]
        return sums, words


@dataclass(frozen=True)
class Signal:
    """One signal of the text, or a model's score."""

    name: str
    signals_of: SignalsOf
    needs_words: bool

    def __call__(self, batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
        column = self.signals_of(batch).column(self.name)
        values = pc.fill_null(column, float("nan")).to_numpy(zero_copy_only=False)
        return values[:, None], _words(batch, self.needs_words)


@dataclass(frozen=True)
class Same:
    """The same for all: chance decides."""

    needs_words: bool

    def __call__(self, batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((batch.num_rows, 1)), _words(batch, self.needs_words)


def _words(batch: pa.RecordBatch, needed: bool) -> np.ndarray:
    return count_words(batch.column("text")) if needed else np.zeros(batch.num_rows, np.int64)


@dataclass(frozen=True)
class Score:
    """A step that gives a row for each document.

    `block` is where it lies, `name` a hash of its source and id, `group` one of what `per` says
    (`source`, `domain` of its url, or `metadata:FIELD`), `words` their number, and `score.TARGET`
    are the scores.
    """

    scorer: Scorer
    targets: tuple[str, ...]
    per: str = "source"

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.Table:
        tally.count("documents", batch.num_rows)
        scores, words = self.scorer(batch)
        _, block = place(batch)
        columns = {
            "block": np.full(batch.num_rows, block, np.int32),
            "name": name_hashes(batch),
            "group": hash_words(_groups(batch, self.per)),
            "words": words,
        }
        for target, column in zip(self.targets, scores.T, strict=True):
            columns[f"score.{target}"] = np.ascontiguousarray(column, np.float64)
        return pa.table(columns)

    def form(self) -> Parquet:
        """How its tables are written."""
        kinds = {"block": pa.int32(), "name": pa.uint64(), "group": pa.uint64()}
        scores = {f"score.{target}": pa.float64() for target in self.targets}
        return Parquet(pa.schema({**kinds, "words": pa.int64(), **scores}))


@dataclass(frozen=True)
class Scores:
    """The rows of one part, as `Score` wrote them, and `row`, which each is of its block."""

    part: int
    block: np.ndarray
    row: np.ndarray
    name: np.ndarray
    group: np.ndarray
    words: np.ndarray
    values: np.ndarray  # float64 [n], those of one target

    def places(self) -> np.ndarray:
        """`PLACE` [n]"""
        places = np.empty(len(self.block), PLACE)
        places["part"], places["block"], places["row"] = self.part, self.block, self.row
        return places

    def rows_at(self, places: np.ndarray) -> np.ndarray:
        """int64: which of these rows are at places, `PLACE` in ascending order."""
        begin, end = np.searchsorted(places["part"], [self.part, self.part + 1])
        here = places[begin:end]
        return np.searchsorted(self.block, here["block"]) + here["row"]


def read_scores(files: Sequence[Path], target: str) -> Iterator[Scores]:
    """The scores for a target, a part at a time."""
    names = ["block", "name", "group", "words", f"score.{target}"]
    for part, path in enumerate(files):
        table = pq.read_table(path, columns=names)
        block, *rest = (table.column(name).to_numpy() for name in names)
        row = np.arange(len(block)) - np.searchsorted(block, block)
        yield Scores(part, block, row, *rest)


def name_hashes(batch: pa.RecordBatch) -> np.ndarray:
    """uint64 [n]: of each document's source and id, which no other document should share."""
    names = zip(batch.column("source").to_pylist(), batch.column("id").to_pylist(), strict=True)
    return hash_words([f"{source or ''}\0{identity or ''}" for source, identity in names])


def _groups(batch: pa.RecordBatch, per: str) -> list[str]:
    if per == "domain":
        return [_domain(url or "") for url in batch.column("url").to_pylist()]
    if per.startswith(METADATA):
        field = per.removeprefix(METADATA)
        rows = (orjson.loads(m or "{}") for m in batch.column("metadata").to_pylist())
        return [str(row.get(field, "")) for row in rows]
    return [source or "" for source in batch.column("source").to_pylist()]


def _domain(url: str) -> str:
    """The host of a URL, without `www.`; empty if it has none."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:  # such as brackets without an address in them
        return ""
