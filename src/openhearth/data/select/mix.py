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
from openhearth.data.pipeline import Report
from openhearth.data.schema import Block, Corpus, Part, Quarantine
from openhearth.data.select.mixture import Mixture, Share, plan
from openhearth.data.select.sizes import Bytes, Measure, Size
from openhearth.data.select.slices import Opened
from openhearth.data.select.stream import Piece, Stream
from openhearth.data.write import stamp
from openhearth.errors import UsageError
from openhearth.progress import Progress, silent

LOCATION = "mixture"
PART, BATCH = 1 << 26, 1 << 21  # tokens, or bytes, of a part and of a batch of the result


@dataclass(frozen=True)
class Mixed:
    """The mixed documents, with what was set aside when slices were read; what was planned; and
    what each slice gives of it to a document.
    """

    corpus: Corpus
    shares: list[Share]
    given: dict[str, int]


@dataclass(frozen=True)
class Mixing:
    """A mixture whose slices are open. What it gives has a fingerprint before anything is read."""

    mixture: Mixture
    slices: tuple[Opened, ...]
    measure: Measure

    @classmethod
    def of(cls, mixture: Mixture, measure: Measure | None = None) -> Mixing:
        """Open its slices. `measure` says what the budget counts: bytes, if there is none.

        Raises:
            NotFound: there is nothing at the path of a slice, or no such rule set.
            UsageError: a rule is wrong, or nothing at a path can be read.
        """
        return cls(mixture, tuple(map(Opened.of, mixture.slices)), measure or Bytes())

    @property
    def fingerprint(self) -> str:
        """Changes when the mixed documents do."""
        prints = [opened.fingerprint for opened in self.slices]
        wanted = [self.mixture.model_dump(mode="json"), repr(self.measure), prints]
        return stamp(Corpus(LOCATION, "", ()), wanted)

    def mix(
        self,
        work: Path,
        executor: Any = None,
        *,
        limit: int | None = None,
        progress: Progress = silent,
    ) -> Mixed:
        """Carry it out, see `mix`."""
        settings: dict[str, Any] = {"limit": limit, "progress": progress}
        aside = Quarantine()
        prepared: list[tuple[Corpus, Report]] = []
        for opened in self.slices:
            corpus = opened.prepare(work, executor, settings, aside)
            sizes = self._measured(opened.part.name, corpus, work, executor, settings)
            prepared.append((corpus, sizes))
        sums = [report.tally.counts["size"] for _, report in prepared]
        names = [opened.part.name for opened in self.slices]
        shares = plan(self.mixture, dict(zip(names, sums, strict=True)))
        streams = [
            Stream.of(corpus, report.files, share.name, self.mixture.seed, share.amount)
            for (corpus, report), share in zip(prepared, shares, strict=True)
        ]
        if not any(stream.amount for stream in streams):
            raise UsageError("The budget is less than one document of any slice: raise it.")
        given = {stream.name: stream.amount for stream in streams}
        return Mixed(_merged(streams, self.fingerprint, aside), shares, given)

    def _measured(
        self, name: str, corpus: Corpus, work: Path, executor: Any, settings: dict[str, Any]
    ) -> Report:
        """The sizes of a slice's documents."""
        step = Size(self.measure)
        folder = work / f"sizes-{stamp(corpus, repr(self.measure))[:16]}"
        return pipeline.run(
            corpus, step, step.form(), folder, executor, stage=f"measure {name}", **settings
        )


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
    return Mixing.of(mixture, measure).mix(work, executor, limit=limit, progress=progress)


def _merged(streams: Sequence[Stream], fingerprint: str, aside: Quarantine) -> Corpus:
    """Streams as a corpus, merged by progress."""
    streams = [stream for stream in streams if stream.amount]
    total = sum(stream.amount for stream in streams)
    parts = max(1, -(-total // PART))
    batches = max(1, -(-total // (parts * BATCH)))
    edges = np.arange(parts * batches + 1) / (parts * batches)
    pieces = [edges[i * batches : (i + 1) * batches + 1] for i in range(parts)]
    return Corpus(
        LOCATION,
        fingerprint,
        [Part(f"{i:06}", partial(_read, streams, piece)) for i, piece in enumerate(pieces)],
        aside,
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
