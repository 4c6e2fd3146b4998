"""A source into the store: its documents, and over them the signals.

Both are made in parts that survive a crash, so a run that was killed goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from openhearth.data.schema import SCHEMA, Corpus, Quarantine
from openhearth.data.signals import compute
from openhearth.errors import UsageError
from openhearth.progress import Progress
from openhearth.store import Artifact, Draft, Store, write_atomically

PART_ROWS = 1000


def store_corpus(store: Store, corpus: Corpus, progress: Progress) -> Artifact:
    """Everything a source holds, part by part, with what was set aside in `quarantine.json`.

    Raises:
        UsageError: nothing there can be used.
    """

    def build(draft: Draft) -> None:
        quarantine = Quarantine()
        tables = []
        for i, (name, read_part) in enumerate(corpus.parts):
            progress("read", i, len(corpus.parts), name)
            table, aside = _once(draft.work / f"{i:06}.parquet", read_part)
            tables.append(table)
            quarantine.counts.update(aside["counts"])
            quarantine.examples += aside["examples"]
        documents = pa.concat_tables(tables) if tables else SCHEMA.empty_table()
        if not documents.num_rows:
            raise UsageError(
                f"{corpus.location} holds no documents that can be used "
                f"({sum(quarantine.counts.values())} set aside): give a larger or another source."
            )
        pq.write_table(documents, draft.path("documents.parquet"))
        draft.path("quarantine.json").write_bytes(orjson.dumps(quarantine.to_dict()))
        draft.metrics |= {"documents": documents.num_rows, "quarantined": dict(quarantine.counts)}
        draft.license += named(documents, "license")
        draft.creator += named(documents, "creator")

    recipe = {"location": corpus.location, "fingerprint": corpus.fingerprint}
    return store.make("corpus", build, recipe=recipe)


def _once(path: Path, read_part: Callable[[Quarantine], Any]) -> tuple[pa.Table, dict[str, Any]]:
    """A part of the corpus, from disk if an earlier run read it already."""
    if not path.exists():
        quarantine = Quarantine()
        table = pa.Table.from_pylist(list(read_part(quarantine)), schema=SCHEMA)
        aside = {b"quarantine": orjson.dumps(quarantine.to_dict())}
        _write_part(table.replace_schema_metadata(aside), path)
    table = pq.read_table(path)
    aside = orjson.loads(table.schema.metadata[b"quarantine"])
    return table.replace_schema_metadata(None), aside


def store_signals(store: Store, corpus: Artifact, progress: Progress) -> Artifact:
    """All signals of a corpus, keyed by document id; the corpus itself stays as it is."""

    def build(draft: Draft) -> None:
        documents = pq.read_table(corpus.path("documents.parquet"))
        tables = []
        for i, start in enumerate(range(0, documents.num_rows, PART_ROWS)):
            progress("signals", start, documents.num_rows, "documents")
            path = draft.work / f"{i:06}.parquet"
            if not path.exists():
                _write_part(_overlay(documents.slice(start, PART_ROWS)), path)
            tables.append(pq.read_table(path))
        pq.write_table(pa.concat_tables(tables), draft.path("signals.parquet"))
        draft.metrics["documents"] = documents.num_rows

    return store.make("signals", build, inputs={"corpus": corpus.digest}, recipe={"signals": "v1"})


def _overlay(documents: pa.Table) -> pa.Table:
    """All signals of the texts, and under `answer.` those of the answers."""
    table = compute(documents.column("text").to_pylist())
    answers = compute([answer(m) or "" for m in documents.column("metadata").to_pylist()])
    for name in answers.column_names:
        table = table.append_column(f"answer.{name}", answers.column(name))
    return table.add_column(0, "id", documents.column("id"))


def _write_part(table: pa.Table, path: Path) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    write_atomically(path, sink.getvalue().to_pybytes())


def answer(metadata: str) -> str | None:
    """The assistant's text in a document's metadata, if it is a conversation."""
    messages = json.loads(metadata or "{}").get("messages")
    return messages[-1]["content"] if messages else None


def named(documents: pa.Table, column: str) -> Iterator[str]:
    """The distinct values of a column that are not empty."""
    return (name for name in documents.column(column).unique().to_pylist() if name)
