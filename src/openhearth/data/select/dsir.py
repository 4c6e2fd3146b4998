"""DSIR: the documents that are likelier under the target's features than under the source's.

Xie et al. 2023, arXiv:2302.03169. A target and a source are bags of hashed words and pairs; the
log-importance of a document is the sum over its features of ln(p + 1e-8) - ln(q + 1e-8), where p
and q are the shares of that feature's bucket in the target and in the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from openhearth.data import pipeline
from openhearth.data.schema import Corpus
from openhearth.data.select.features import Features, RawWords
from openhearth.data.signals.compute import Weights
from openhearth.data.signals.resources import log_shares
from openhearth.data.tally import Tally
from openhearth.data.write import stamp
from openhearth.errors import UsageError
from openhearth.progress import Progress, silent


@dataclass(frozen=True)
class Counts:
    """How often features fall in each bucket, int64 [buckets], in how many documents."""

    values: np.ndarray
    documents: int

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.values + other.values, self.documents + other.documents)

    def shares(self) -> np.ndarray:
        """float64 [buckets]: they sum to one."""
        return self.values / self.values.sum()

    def save(self, path: Path) -> None:
        """Write the `.npz` that `signals.resources.read_counts` reads: `counts`, and `words`, the
        mean number of raw words of a document.
        """
        # w words make 2w - 1 features; documents without words make none, and hardly matter.
        words = (int(self.values.sum()) + self.documents) / 2 / max(1, self.documents)
        with path.open("wb") as file:
            np.savez_compressed(file, counts=self.values, words=words, documents=self.documents)

    @classmethod
    def load(cls, path: Path) -> Counts:
        """What `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            return cls(file["counts"], int(file["documents"]))


def count_features(texts: pa.Array, buckets: int = 10_000) -> np.ndarray:
    """int64 [buckets]: how many words and pairs of these texts fall in each bucket."""
    return RawWords(buckets).count(texts)


def fit(targets: Mapping[str, np.ndarray], source: np.ndarray) -> Weights:
    """Log-importance weights of each bucket, by target, from counts of features [buckets].

    Raises:
        UsageError: a target or the source has no features, or their buckets differ.
    """
    for name, counts in {**targets, "source": source}.items():
        if counts.shape != source.shape:
            raise UsageError(f"{name} has {len(counts)} buckets, not {len(source)}: count it anew.")
        if not counts.sum():
            raise UsageError(f"{name} has no words: give documents with text.")
    ratios = [log_shares(counts) - log_shares(source) for counts in targets.values()]
    return Weights(tuple(targets), np.stack(ratios, axis=1))


def kl_reduction(target: np.ndarray, source: np.ndarray, chosen: np.ndarray) -> float:
    """By how many nats the choice is nearer to the target than the source is: KL(target | source) -
    KL(target | chosen), from counts [buckets]. It went with accuracy downstream (r = 0.82).
    """
    share = target / target.sum()
    return float(share @ (log_shares(chosen) - log_shares(source)))


def count(
    corpus: Corpus,
    features: Features,
    work: Path,
    executor: Any = None,
    *,
    limit: int | None = None,
    progress: Progress = silent,
    stage: str = "count",
) -> Counts:
    """The features of a whole corpus; parts that were counted before are not counted again.

    Raises:
        HearthError: more than `limit` records were set aside.
    """
    folder = work / f"counts-{stamp(corpus, repr(features))[:16]}"
    report = pipeline.run(
        corpus,
        Count(features),
        CountForm(features.buckets),
        folder,
        executor,
        limit=limit,
        progress=progress,
        stage=stage,
    )
    none = Counts(np.zeros(features.buckets, np.int64), 0)
    return sum(map(Counts.load, report.files), none)


@dataclass(frozen=True)
class Count:
    """A step that gives one row: the counts of a batch."""

    features: Features

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.Table:
        tally.count("documents", batch.num_rows)
        counts = self.features.count(batch.column("text"))
        column = pa.FixedSizeListArray.from_arrays(pa.array(counts), self.features.buckets)
        return pa.table({"counts": column, "documents": [batch.num_rows]})


@dataclass(frozen=True)
class CountForm:
    """Rows of counts as their sum, a `.npz` a part."""

    buckets: int
    suffix: str = ".npz"

    def encode(self, table: pa.Table) -> Counts:
        """The one row."""
        counts = table.column("counts").combine_chunks().flatten().to_numpy()
        return Counts(counts, table.column("documents")[0].as_py())

    def writer(self, path: Path) -> CountWriter:
        """A new file at `path`."""
        return CountWriter(path, Counts(np.zeros(self.buckets, np.int64), 0))


class CountWriter:
    """Adds counts up, and writes the sum."""

    def __init__(self, path: Path, none: Counts) -> None:
        self._path = path
        self._sum = none

    def write(self, encoded: Counts) -> None:
        self._sum += encoded

    def close(self) -> None:
        self._sum.save(self._path)
