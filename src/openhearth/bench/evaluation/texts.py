"""Bits per byte of a model on documents: how well it foretells text, whatever its tokenizer.

The sum of the losses of all tokens, in bits, over the bytes of the documents' UTF-8. Documents are
apart from each other, and longer ones than the context are read in windows (see `windows`), each
token after at least half a window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from openhearth.bench.evaluation.interval import ratio_interval
from openhearth.bench.evaluation.journal import Journal
from openhearth.bench.evaluation.subject import Subject
from openhearth.bench.evaluation.windows import windows
from openhearth.data import read
from openhearth.data.corpus import store_corpus
from openhearth.data.schema import Quarantine
from openhearth.data.shards import corpus_of
from openhearth.errors import NotFound, UsageError
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Draft, Store

LONGEST_WINDOW = 2048  # tokens, unless another context is asked for
AT_ONCE = 64 * 1024  # characters of documents between two lines of the journal
FOLDERS = {"corpus": ("documents",), "dataset": ("heldout", "train")}  # the first is the usual one
COLUMNS = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("bytes", pa.int64()),
        ("tokens", pa.int64()),
        ("nats", pa.float64()),
    ]
)

Row = dict[str, Any]


def evaluate_texts(
    store: Store,
    subject: Subject,
    location: str,
    split: str | None = None,
    limit: int | None = None,
    progress: Progress = silent,
) -> Artifact:
    """A report of kind `bits_per_byte` on a corpus or dataset in the store, or on what is at a
    location that `data.read` takes; on the first `limit` documents, if it is given.

    Raises:
        NotFound: there is no such text.
        UsageError: it holds no documents, or has no such split.
    """
    corpus = _find(store, location, progress)
    folder = _folder(corpus, split)
    most = min(subject.context, LONGEST_WINDOW)
    recipe = {
        "evaluation": "bits_per_byte",
        "split": folder,
        "context": most,
        "kept": most // 2,
        "dtype": subject.dtype,
        "limit": limit,
    }

    def build(draft: Draft) -> None:
        rows = list(islice(_documents(corpus, folder), limit))
        if not rows:
            raise UsageError(f"{location} holds no documents: give another text.")
        scored = _score(subject, rows, most, Journal(draft.work / "scores.jsonl"), progress)
        pq.write_table(pa.Table.from_pylist(scored, COLUMNS), draft.path("documents.parquet"))
        draft.metrics |= _metrics(scored)

    inputs = subject.inputs | {"corpus": corpus.digest}
    return store.make("report", build, inputs=inputs, recipe=recipe)


def _find(store: Store, location: str, progress: Progress) -> Artifact:
    """What the store knows by this name, else what is at this location."""
    try:
        return store.get(location)
    except NotFound:
        return store_corpus(store, read(location), "documents", None, progress)


def _folder(corpus: Artifact, split: str | None) -> str:
    if corpus.kind not in FOLDERS:
        raise UsageError(
            f"{corpus.digest[:12]} is of kind {corpus.kind}: name a corpus, a dataset, or a path."
        )
    known = FOLDERS[corpus.kind]
    if split is not None and split not in known:
        raise UsageError(f"A {corpus.kind} has no split {split!r}: use {' or '.join(known)}.")
    return split or known[0]


def _documents(corpus: Artifact, folder: str) -> Iterator[Row]:
    for part in corpus_of(corpus, folder).parts:
        for block in part.read(Quarantine()):
            rows = block.batch(Quarantine()).select(["id", "source", "text"]).to_pylist()
            yield from (row for row in rows if row["text"])


def _score(
    subject: Subject, rows: Sequence[Row], most: int, journal: Journal, progress: Progress
) -> list[Row]:
    """Tokens and nats of each document, a few documents at a time, always the same ones together,
    so that a run that went on equals one that was never stopped.
    """
    found: list[Row] = []
    for number, some in enumerate(_some(rows)):
        scores = journal.once(str(number), partial(_nats, subject, some, most))
        for row, (tokens, nats) in zip(some, scores, strict=True):
            size = len(row["text"].encode())
            found.append(
                {key: row[key] for key in ("id", "source")}
                | {"bytes": size, "tokens": tokens, "nats": nats}
            )
        progress("score", len(found), len(rows), f"{_bits(found):.3f} bits a byte")
    return found


def _some(rows: Sequence[Row]) -> Iterator[list[Row]]:
    held: list[Row] = []
    size = 0
    for row in rows:
        held.append(row)
        size += len(row["text"])
        if size >= AT_ONCE:
            yield held
            held, size = [], 0
    if held:
        yield held


def _nats(subject: Subject, rows: Sequence[Row], most: int) -> list[tuple[int, float]]:
    """How many tokens each text has, and the sum of their losses."""
    texts = subject.tokenizer.encode_literally([row["text"] for row in rows])
    parts = [windows(subject.first, tokens, most, most // 2) for tokens in texts]
    scores = iter(subject.likelihood.score([part for one in parts for part in one]))
    return [
        (len(tokens), float(sum(next(scores).nats.sum(dtype=np.float64) for _ in one)))
        for tokens, one in zip(texts, parts, strict=True)
    ]


def _metrics(rows: Sequence[Row]) -> dict[str, Any]:
    nats, sizes = (np.array([row[key] for row in rows], np.float64) for key in ("nats", "bytes"))
    sources = [row["source"] or "" for row in rows]
    is_by_source = len(set(sources)) > 1
    groups = sources if is_by_source else [row["id"] for row in rows]
    return {
        "bits_per_byte": {
            "value": _bits(rows),
            "interval": ratio_interval(groups, nats, sizes * math.log(2)),
            "resampled": "sources" if is_by_source else "documents",
        },
        "documents": len(rows),
        "sources": len(set(sources)),
        "bytes": int(sizes.sum()),
        "tokens": sum(row["tokens"] for row in rows),
    }


def _bits(rows: Sequence[Row]) -> float:
    return sum(row["nats"] for row in rows) / math.log(2) / sum(row["bytes"] for row in rows)
