"""A source into the store: its documents, and over them the signals, shard by shard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from openhearth.data import pipeline
from openhearth.data.forms import Parquet
from openhearth.data.schema import SCHEMA, Corpus, Quarantine
from openhearth.data.shards import corpus_of, keep
from openhearth.data.signals import Resources, SignalRecipe, signal_table
from openhearth.data.sources import read
from openhearth.data.tally import Tally
from openhearth.errors import UsageError
from openhearth.progress import Progress
from openhearth.store import Artifact, Draft, Store, file_digest

TERMS = ("license", "creator")


def store_corpus(
    store: Store,
    corpus: Corpus,
    shape: str,
    limit: int | None,
    progress: Progress,
    executor: Any = None,
) -> Artifact:
    """Everything a source holds, see `make_corpus`.

    `shape` says what its documents are, since they may be made into examples.
    """
    about = {"location": corpus.location, "fingerprint": corpus.fingerprint, "shape": shape}
    return make_corpus(store, about, lambda work: corpus, limit, progress, executor)


def make_corpus(
    store: Store,
    about: Mapping[str, Any],
    open_: Callable[[Path], Corpus],
    limit: int | None,
    progress: Progress,
    executor: Any = None,
) -> Artifact:
    """All documents in `documents/`, and what was set aside in `quarantine.json`.

    `about` tells the corpus from others. Only if it is not in the store, `open_` is called with a
    folder for whatever the documents take; what is there stays when the run is killed.

    Raises:
        UsageError: nothing there can be used.
        HearthError: more than `limit` records were set aside.
    """

    def build(draft: Draft) -> None:
        corpus = open_(draft.work / "source")
        report = pipeline.run(
            corpus,
            account,
            Parquet(),
            draft.work / "documents",
            executor,
            limit=limit,
            progress=progress,
        )
        aside = Quarantine()
        for found in (corpus.quarantine, report.quarantine):
            aside.update(found.to_dict())
        if not report.tally.counts["documents"]:
            raise UsageError(
                f"{corpus.location} holds no documents that can be used ({aside.total} set aside): "
                "give a larger or another source."
            )
        keep(draft, "documents", report.files)
        draft.path("quarantine.json").write_bytes(orjson.dumps(aside.to_dict()))
        describe(draft, report.tally)
        draft.metrics["quarantined"] = aside.to_dict()["counts"]

    return store.make("corpus", build, recipe=about)


def find_documents(
    store: Store, name: str, kind: str | None, limit: int | None, progress: Progress
) -> Artifact:
    """The corpus or dataset of this name in the store, else what is at this location.

    Raises:
        NotFound: there is neither.
        UsageError: nothing at the location can be used.
        HearthError: more than `limit` records were set aside.
    """
    if name in store.refs.all():
        return store.get(name)
    return store_corpus(store, read(name, kind), "documents", limit, progress)


def account(batch: pa.RecordBatch, tally: Tally) -> pa.RecordBatch:
    """A step that leaves documents as they are, and counts them and their terms."""
    tally.count("documents", batch.num_rows)
    tally.count("bytes", pc.sum(pc.binary_length(batch.column("text"))).as_py() or 0)
    for column in TERMS:
        for entry in pc.value_counts(batch.column(column)).to_pylist():
            if entry["values"]:
                tally.count(f"{column}:{entry['values']}", entry["counts"])
    return batch


def describe(draft: Draft, tally: Tally) -> None:
    """Put what `account` counted into a manifest."""
    draft.metrics |= {name: tally.counts[name] for name in ("documents", "bytes")}
    draft.license += counted(tally, "license")
    draft.creator += counted(tally, "creator")


def counted(tally: Tally, column: str) -> list[str]:
    """The values of a column of terms that `account` met."""
    beginning = f"{column}:"
    return [k.removeprefix(beginning) for k in tally.counts if k.startswith(beginning)]


@dataclass(frozen=True)
class Compute:
    """A step that gives documents' signals."""

    names: tuple[str, ...]
    resources: Resources

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.Table:
        tally.count("documents", batch.num_rows)
        return signal_table(batch, self.names, self.resources)

    def form(self) -> Parquet:
        """How its tables are written."""
        empty = pa.RecordBatch.from_pylist([], schema=SCHEMA)
        return Parquet(signal_table(empty, self.names, self.resources).schema)


def store_signals(
    store: Store,
    corpus: Artifact,
    names: Iterable[str],
    recipe: SignalRecipe,
    progress: Progress,
    executor: Any = None,
) -> Artifact:
    """Signals of a corpus in `signals/`, keyed by document id; the corpus itself stays as it is.

    Raises:
        NotFound: a file of the recipe does not exist.
        UsageError: one is not what it should be, or there is no such signal.
    """
    wanted = tuple(sorted(set(names)))
    resources = Resources.load(recipe)

    def build(draft: Draft) -> None:
        step = Compute(wanted, resources)
        report = pipeline.run(
            corpus_of(corpus, "documents"),
            step,
            step.form(),
            draft.work / "signals",
            executor,
            progress=progress,
            stage="signals",
        )
        keep(draft, "signals", report.files)
        draft.metrics["documents"] = report.tally.counts["documents"]

    settings = {"signals": list(wanted), **signed(recipe)}
    return store.make("signals", build, inputs={"corpus": corpus.digest}, recipe=settings)


def signed(recipe: SignalRecipe) -> dict[str, Any]:
    """A recipe of signals with the digests of the files that it names, since those may change."""
    files = [file for path in recipe.files() for file in _files(Path(path))]
    return {**recipe.model_dump(mode="json"), "files": {str(f): file_digest(f) for f in files}}


def _files(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
