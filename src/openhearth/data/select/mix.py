"""Mixing: slices of text as one corpus in which every prefix has about the mixture's proportions.

Each slice is prepared (read, filtered, selected from), its documents are measured, the plan says
how much each gives, and their streams are merged. Parts of the result are made each by itself, so
many threads and machines can, and a run that was killed goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from openhearth.data import pipeline
from openhearth.data.corpus import account
from openhearth.data.filter import Computed, Filter, needed
from openhearth.data.forms import Parquet
from openhearth.data.rules import load_rules
from openhearth.data.schema import Block, Corpus, Part, Quarantine
from openhearth.data.select.choose import select
from openhearth.data.select.mixture import Mixture, Share, Slice, plan
from openhearth.data.select.sizes import Bytes, Measure, Size
from openhearth.data.select.stream import Piece, Stream
from openhearth.data.shards import corpus_of_files
from openhearth.data.signals import Resources
from openhearth.data.sources import read
from openhearth.data.write import stamp
from openhearth.errors import UsageError
from openhearth.progress import Progress, silent

PART, BATCH = 1 << 26, 1 << 21  # tokens, or bytes, of a part and of a batch of the result


@dataclass(frozen=True)
class Mixed:
    """The mixed documents, what was planned, what each slice gives of it to a document, and what
    was set aside when slices were read.
    """

    corpus: Corpus
    shares: list[Share]
    given: dict[str, int]
    quarantine: Quarantine


def mix(
    mixture: Mixture,
    work: Path,
    executor: Any = None,
    *,
    measure: Measure | None = None,
    limit: int | None = None,
    progress: Progress = silent,
) -> Mixed:
    """The corpus that a mixture describes. Its documents are read when they are needed.

    `measure` says what the budget counts: bytes, if there is none. Slices that are filtered or
    selected from lie in `work`, with their documents' sizes; what an earlier run left is used.

    Raises:
        NotFound: there is nothing at the path of a slice, or no such rule set.
        UsageError: a slice is empty, its rules or selection are wrong, or the budget is too small.
        HearthError: a slice has more than `limit` broken records.
    """
    measure = measure or Bytes()
    settings: dict[str, Any] = {"limit": limit, "progress": progress}
    step = Size(measure)
    corpora, files, sizes = {}, {}, {}
    aside = Quarantine()
    for part in mixture.slices:
        corpus = _prepare(part, work, executor, settings, aside)
        report = pipeline.run(
            corpus,
            step,
            step.form(),
            work / f"sizes-{stamp(corpus, repr(measure))[:16]}",
            executor,
            stage=f"measure {part.name}",
            **settings,
        )
        corpora[part.name], files[part.name] = corpus, report.files
        sizes[part.name] = report.tally.counts["size"]
    shares = plan(mixture, sizes)
    streams = [
        Stream.of(corpora[s.name], files[s.name], s.name, mixture.seed, s.amount) for s in shares
    ]
    if not any(stream.amount for stream in streams):
        raise UsageError("The budget is less than one document of any slice: raise it.")
    prints = [corpus.fingerprint for corpus in corpora.values()]
    wanted = [mixture.model_dump(mode="json"), repr(measure), prints]
    fingerprint = stamp(Corpus("mixture", "", ()), wanted)
    given = {stream.name: stream.amount for stream in streams}
    return Mixed(_merged(streams, fingerprint), shares, given, aside)


def _prepare(
    part: Slice, work: Path, executor: Any, settings: dict[str, Any], aside: Quarantine
) -> Corpus:
    """The documents of a slice, by its rules, by its selection.

    They are put into Parquet files even if all stay: parts of the result begin in the middle of
    them, where other formats cannot be entered.
    """
    corpus = read(part.path, part.format)
    rules = tuple(load_rules(part.rules, part.off))
    if rules or part.select is None:
        name = stamp(corpus, [rule.model_dump(mode="json") for rule in rules])
        report = pipeline.run(
            corpus,
            Filter(rules, Computed(needed(rules), Resources())) if rules else account,
            Parquet(),
            work / f"documents-{name[:16]}",
            executor,
            stage=f"read {part.name}",
            **settings,
        )
        aside.update(report.quarantine.to_dict())
        corpus = corpus_of_files(report.files, name)
    if part.select is None:
        return corpus
    targets = {name: read(path) for name, path in part.targets.items()}
    selection = select(corpus, targets, part.select, work, executor, **settings)
    aside.update(selection.report.quarantine.to_dict())
    return selection.corpus


def _merged(streams: Sequence[Stream], fingerprint: str) -> Corpus:
    """Streams as a corpus, merged by progress."""
    streams = [stream for stream in streams if stream.amount]
    total = sum(stream.amount for stream in streams)
    parts = max(1, -(-total // PART))
    batches = max(1, -(-total // (parts * BATCH)))
    edges = np.arange(parts * batches + 1) / (parts * batches)
    pieces = [edges[i * batches : (i + 1) * batches + 1] for i in range(parts)]
    return Corpus(
        "mixture",
        fingerprint,
        [Part(f"{i:06}", partial(_read, streams, piece)) for i, piece in enumerate(pieces)],
    )


@dataclass(frozen=True)
class Made:
    """A block that is a batch already."""

    documents: pa.RecordBatch

    def batch(self, quarantine: Quarantine) -> pa.RecordBatch:
        """Itself."""
        return self.documents


def _read(streams: Sequence[Stream], edges: np.ndarray, quarantine: Quarantine) -> Iterator[Block]:
    """What is between each two edges, by progress; of equal ones the first slice's comes first."""
    readers = [_Reader(stream.pieces(edges[0], edges[-1])) for stream in streams]
    for edge in edges[1:]:
        pieces = [piece for reader in readers for piece in reader.until(edge)]
        if pieces:
            order = np.argsort(np.concatenate([p for p, _ in pieces]), kind="stable")
            table = pa.Table.from_batches([batch for _, batch in pieces])
            yield Made(table.take(pa.array(order)).combine_chunks().to_batches()[0])


class _Reader:
    """Takes from a stream as far as it is asked to."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self._held: Piece | None = None

    def until(self, edge: float) -> Iterator[Piece]:
        """What is before an edge and was not given yet."""
        while held := self._held or next(self._pieces, None):
            progress, batch = held
            count = int(np.searchsorted(progress, edge))
            if count:
                yield progress[:count], batch.slice(0, count)
            if count < len(progress):
                self._held = progress[count:], batch.slice(count)
                return
            self._held = None
