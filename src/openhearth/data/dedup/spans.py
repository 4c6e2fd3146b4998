"""Parts of documents that stood before, and a step that cuts them out.

1. A step hashes the parts of documents, on all threads.
2. A Bloom filter is asked for each part, and remembers it, in the order of the documents.
3. For each document a file says which of its parts were seen; `Cut` reads it.

The filter holds what its rate of false positives takes, about 2 bytes for each part at 1 in 1000;
beside it a few dozen megabytes are held. The result does not depend on who does the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson
import pyarrow as pa

from openhearth.data import pipeline
from openhearth.data.corpus import account
from openhearth.data.dedup.bloom import Bloom
from openhearth.data.dedup.tables import ArrowFile, batches, beside
from openhearth.data.funnel import count_removed
from openhearth.data.schema import Corpus
from openhearth.data.tally import Tally
from openhearth.progress import Progress, silent
from openhearth.store import write_atomically

KEYS = pa.schema([("keys", pa.list_(pa.uint64()))])
SEEN = pa.schema([("seen", pa.list_(pa.bool_()))])
FALSE_POSITIVES = 1e-3


class Parts(Protocol):
    """What a document's parts are. By `at_once` it does not repeat itself."""

    @property
    def name(self) -> str: ...
    @property
    def at_once(self) -> bool: ...
    def keys(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]: ...
    def cut(self, texts: pa.Array, seen: np.ndarray) -> tuple[pa.Array, np.ndarray]: ...
    def settings(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Key:
    """A step that gives the keys of documents' parts."""

    parts: Parts

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.Table:
        keys, offsets = self.parts.keys(batch.column("text"))
        tally.count("keys", int(np.count_nonzero(keys)))
        return pa.table({"keys": pa.ListArray.from_arrays(offsets, keys)}, schema=KEYS)


@dataclass(frozen=True)
class Repeated:
    """What was found: a file a part, with a list for each document of whether its parts were seen.

    `filter` is the file of the filter, and `index` where it is to go.
    """

    parts: Parts
    files: tuple[Path, ...]
    filter: Path
    index: Path | None = None

    @property
    def name(self) -> str:
        """How a funnel calls it."""
        return self.parts.name

    def cut(self, batch: pa.RecordBatch) -> tuple[pa.Array, np.ndarray]:
        """The texts of a batch that a step was given without what was seen, and how much was cut
        out of each, int64 [n].
        """
        seen = beside(batch, self.files).column("seen").values
        return self.parts.cut(batch.column("text"), seen.to_numpy(zero_copy_only=False))

    def remember(self) -> None:
        """Make the filter the index. Only when the result is safe: it cannot be undone."""
        if self.index is not None:
            Bloom.load(self.filter, self.parts.settings()).save(self.index)


@dataclass(frozen=True)
class Cut:
    """A step that cuts out what was seen; documents of which nothing but spaces is left go."""

    found: Repeated

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.RecordBatch:
        tally.count("seen", batch.num_rows)
        texts, counts = self.found.cut(batch)
        gone = counts > 0
        gone[gone] = [not text.strip() for text in texts.filter(pa.array(gone)).to_pylist()]
        tally.count(f"lines:{self.found.name}", int(counts.sum()))
        count_removed(tally, self.found.name, batch.filter(pa.array(gone)))
        at = batch.schema.get_field_index("text")
        shorter = batch.set_column(at, batch.schema.field(at), texts)
        return account(shorter.filter(pa.array(~gone)), tally)


def find_repeated(
    corpus: Corpus,
    parts: Parts,
    work: Path,
    *,
    index: Path | None = None,
    false_positives: float = FALSE_POSITIVES,
    capacity: int | None = None,
    executor: Any = None,
    limit: int | None = None,
    progress: Progress = silent,
) -> Repeated:
    """Which parts of documents stood before. `work` holds what was done when a run goes on; it must
    be used for the same corpus and settings only.

    With an `index`, a file, what it has seen stood before as well. A new filter is made for
    `capacity` parts, which must be given more than this corpus has if others are to follow.

    Raises:
        UsageError: the index was made with other settings, or for fewer parts.
        HearthError: more than `limit` records were set aside, or the index is damaged.
    """
    report = pipeline.run(
        corpus,
        Key(parts),
        ArrowFile(KEYS),
        work / "keys",
        executor,
        limit=limit,
        progress=progress,
        stage="keys",
    )
    found = tuple(work / "seen" / path.name for path in report.files)
    result = Repeated(parts, found, work / "filter.bloom", index)
    count = report.tally.counts["keys"]
    if index is not None and index.exists():
        bloom = Bloom.load(index, parts.settings())
    else:
        bloom = Bloom(max(count, capacity or 0), false_positives, parts.settings())
    done, before = work / "found.json", bloom.added
    # What an earlier run came to holds while the index is as that found it, or left it.
    if not done.exists() or before not in orjson.loads(done.read_bytes()):
        bloom.room_for(count)
        _ask(bloom, report.files, found, parts.at_once, progress)
        if index is not None:
            bloom.save(result.filter)
        write_atomically(done, orjson.dumps([before, bloom.added]))
    return result


def _ask(
    bloom: Bloom,
    keys: Sequence[Path],
    found: Sequence[Path],
    at_once: bool,
    progress: Progress,
) -> None:
    for i, (source, target) in enumerate(zip(keys, found, strict=True)):
        target.parent.mkdir(exist_ok=True)
        writer = ArrowFile(SEEN).writer(target)
        for batch in batches(source):
            column = batch.column("keys")
            offsets = column.offsets.to_numpy()
            seen = bloom.seen(column.values.to_numpy(), offsets, at_once=at_once)
            lists = pa.ListArray.from_arrays(column.offsets, pa.array(seen))
            writer.write(pa.RecordBatch.from_arrays([lists], schema=SEEN))
        writer.close()
        progress("ask", i + 1, len(keys), source.name)
