"""Copies among the documents of a corpus: keys part by part, groups on disk, verdicts part by part.

1. A step writes each document's keys, and the score that decides whether it stays.
2. Documents with a key in common are linked, by any number of workers.
3. What is linked is a cluster, and for each part a file says which documents stay; `Drop` reads it.

A few dozen megabytes are held at any time, whatever the number of documents. The result does not
depend on who does the work, nor on how often it was interrupted.
"""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson
import pyarrow as pa
import xxhash

from openhearth.data import pipeline
from openhearth.data.corpus import account
from openhearth.data.dedup.index import SeenIndex
from openhearth.data.dedup.keep import First, Keep
from openhearth.data.dedup.link import Links, link
from openhearth.data.dedup.scatter import sources
from openhearth.data.dedup.tables import ArrowFile, batches, beside
from openhearth.data.dedup.verdicts import write_verdicts
from openhearth.data.executors import Threads
from openhearth.data.funnel import count_removed
from openhearth.data.schema import Corpus
from openhearth.data.tally import Tally
from openhearth.progress import Progress, silent
from openhearth.store import write_atomically

KEYS = pa.schema([("keys", pa.list_(pa.uint64())), ("score", pa.float64())])
NOTE = "found.json"
GROUPS, MERGED = "groups", "merged.keys"


class Method(Protocol):
    """How copies are known: by a key in common. A key has `words` words of 64 bits."""

    @property
    def name(self) -> str: ...
    @property
    def words(self) -> int: ...
    def keys(self, texts: pa.Array) -> pa.ListArray: ...
    def settings(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Key:
    """A step that gives documents' keys and scores."""

    method: Method
    keep: Keep

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.Table:
        tally.count("documents", batch.num_rows)
        keys = self.method.keys(batch.column("text"))
        return pa.table({"keys": keys, "score": self.keep(batch)}, schema=KEYS)


@dataclass(frozen=True)
class Duplicates:
    """What was found: a file a part, with a row of `VERDICTS` for each document.

    `cluster` is the number of the first document of its cluster, counted from 0 over the whole
    corpus, or -1 if the cluster is in the index. `edges` is a file of pairs of numbers, int64.
    """

    name: str
    files: tuple[Path, ...]
    documents: int
    copies: int
    edges: Path
    run: str = ""  # names the search
    index: SeenIndex | None = None

    def kept(self, batch: pa.RecordBatch) -> np.ndarray:
        """bool [n]: which documents of a batch that a step was given stay."""
        return beside(batch, self.files).column("kept").to_numpy(zero_copy_only=False)

    def clusters(self) -> np.ndarray:
        """int64 [documents]: the cluster of each document of the corpus, all in memory."""
        found = [batch.column("cluster").to_numpy() for f in self.files for batch in batches(f)]
        return np.concatenate([np.empty(0, np.int64), *found])

    def remember(self) -> None:
        """Merge what was seen into the index. Only when the result is safe: it cannot be undone."""
        if self.index is not None and self.index.last != self.run:
            self.index.merge(self.edges.with_name(MERGED), self.run)


@dataclass(frozen=True)
class Drop:
    """A step that drops copies, those of one method after those of another."""

    found: tuple[Duplicates, ...]

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.RecordBatch:
        tally.count("seen", batch.num_rows)
        gone = np.zeros(batch.num_rows, bool)
        for duplicates in self.found:
            new = ~duplicates.kept(batch) & ~gone
            count_removed(tally, duplicates.name, batch.filter(pa.array(new)))
            gone |= new
        return account(batch.filter(pa.array(~gone)), tally)


def find(
    corpus: Corpus,
    method: Method,
    work: Path,
    *,
    keep: Keep | None = None,
    index: Path | None = None,
    executor: Any = None,
    limit: int | None = None,
    progress: Progress = silent,
) -> Duplicates:
    """Which documents are copies. `work` holds what was done when a run goes on; it must be used
    for the same corpus and settings only.

    With an `index`, copies of what it has seen are copies too, and all others of their clusters.

    Raises:
        UsageError: the index was made with other settings, or scores cannot be had.
        HearthError: more than `limit` records were set aside, or the index is damaged.
    """
    executor = executor or Threads()
    keep = keep or First()
    seen = SeenIndex(index, method.words, method.settings()) if index is not None else None
    report = pipeline.run(
        corpus,
        Key(method, keep),
        ArrowFile(KEYS),
        work / "keys",
        executor,
        limit=limit,
        progress=progress,
        stage="keys",
    )
    documents = report.tally.counts["documents"]
    search = _Search(tuple(report.files), documents, work, seen)
    found = search.found()
    if found is None:
        links = search.links(method.words, executor, progress)
        found = search.note(search.judge(links, keep))
    shutil.rmtree(work / GROUPS, ignore_errors=True)
    return Duplicates(
        method.name, search.verdicts, documents, found["copies"], search.edges, found["run"], seen
    )


@dataclass(frozen=True)
class _Search:
    """The second pass: from the files of keys to those of verdicts."""

    files: tuple[Path, ...]
    documents: int
    work: Path
    seen: SeenIndex | None

    @property
    def edges(self) -> Path:
        return self.work / "edges.i64"

    @property
    def verdicts(self) -> tuple[Path, ...]:
        return tuple(self.work / "verdicts" / path.name for path in self.files)

    def found(self) -> dict[str, Any] | None:
        """What an earlier run came to, unless the index was extended by others since."""
        try:
            found = orjson.loads((self.work / NOTE).read_bytes())
        except FileNotFoundError:
            return None
        seen = self.seen
        same = seen is None or seen.generation == found["generation"] or seen.last == found["run"]
        return found if same else None

    def note(self, copies: int) -> dict[str, Any]:
        """Note that it is done."""
        generation = self.seen.generation if self.seen else 0
        found = {"copies": copies, "run": uuid.uuid4().hex, "generation": generation}
        write_atomically(self.work / NOTE, orjson.dumps(found))
        return found

    def links(self, words: int, executor: Any, progress: Progress) -> Links:
        """Which documents have a key in common."""
        width = executor.width  # of a cluster it may change
        # Jobs that were cut for another width, or with another index, are others.
        index = xxhash.xxh64_hexdigest(self.seen.last.encode() if self.seen else b"")
        return link(
            list(sources(self.files, words, self.seen, width)),
            words,
            self.work / GROUPS / f"{width}-{index}",
            executor,
            width=width,
            with_keys=self.seen is not None,
            progress=progress,
        )

    def judge(self, links: Links, keep: Keep) -> int:
        """Write edges, keys if there is an index, and verdicts; how many documents go."""
        with self.edges.open("wb") as file:
            for edges in links.edges():
                (edges - 1).tofile(file)
        if self.seen is not None:
            links.write_keys(self.work / MERGED)
        return write_verdicts(
            links.edges(),
            self.documents,
            keep,
            self.files,
            self.verdicts,
            self.work / "clusters",
        )
