"""Takedown: documents out of a dataset, its signals and its corpus, shard by shard.

Only shards that hold such a document are written again; the others stay the files that they are.
The recipe of what is made tells hashes of what was asked for, and so does not publish it again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from openhearth.data.corpus import TERMS
from openhearth.data.examples import document_of
from openhearth.errors import HearthError, NotFound, UsageError
from openhearth.store import Artifact, Draft, Store, collect, remove

FOLDERS = {"corpus": ("documents",), "signals": ("signals",), "dataset": ("train", "heldout")}


@dataclass(frozen=True)
class Request:
    """What is to be forgotten: documents with one of these ids, URLs or creators."""

    ids: frozenset[str] = frozenset()
    urls: frozenset[str] = frozenset()
    creators: frozenset[str] = frozenset()

    def matches(self, table: pa.Table) -> np.ndarray:
        """bool [n]: the documents that are meant, and examples that were made of them."""
        found = np.zeros(table.num_rows, bool)
        for column, wanted in (("url", self.urls), ("creator", self.creators)):
            if wanted:
                values = pa.array(sorted(wanted), pa.string())
                found |= pc.is_in(table.column(column), values).to_numpy()
        if self.ids:
            names = table.column("id").to_pylist()
            found |= np.array([n in self.ids or document_of(n) in self.ids for n in names], bool)
        return found

    def hashes(self) -> list[str]:
        """What a recipe tells of it."""
        named = (
            f"{kind}:{value}"
            for kind in ("ids", "urls", "creators")
            for value in getattr(self, kind)
        )
        return sorted(hashlib.sha256(name.encode()).hexdigest() for name in named)


@dataclass
class Forgotten:
    """What was done: new artifacts by the digest of the old, and counts."""

    new: dict[str, Artifact] = field(default_factory=dict)
    documents: int = 0
    shards: int = 0
    rewritten: int = 0
    ids: set[str] = field(default_factory=set)
    kept: list[str] = field(default_factory=list)  # why old artifacts are still there


def forget(store: Store, name: str, request: Request) -> Forgotten:
    """Make a dataset or corpus without some documents, and remove the one that had them.

    Its names mean the new one from then on. The old one stays where something was made of it, such
    as an adapter: `kept` says what.

    Raises:
        NotFound: there is no such artifact, or none of its documents is meant.
        UsageError: it is no corpus or dataset, or nothing is asked for.
    """
    if not request.hashes():
        raise UsageError("Nothing is to be forgotten: name an id, a URL or a creator.")
    artifact = store.get(name)
    if artifact.kind not in FOLDERS or not _shards(artifact):
        raise UsageError(f"{name} ({artifact.kind}) holds no documents: name a corpus or dataset.")
    if "index.json" in artifact.manifest.files:
        raise UsageError(
            f"{name} holds tokens: forget documents of what they were made of, then make them anew."
        )
    done = Forgotten()
    masks = _masks(artifact, request)
    if corpus := artifact.manifest.inputs.get("corpus"):
        masks |= _masks(store.load(corpus), request)
    if not any(mask.any() for mask in masks.values()):
        raise NotFound(f"No document of {name} is meant: check the spelling.")
    _rebuild(store, artifact, request, done)
    _replace(store, artifact, done)
    return done


def _shards(artifact: Artifact) -> list[str]:
    folders = FOLDERS[artifact.kind]
    return sorted(n for n in artifact.manifest.files if n.split("/")[0] in folders)


def _masks(artifact: Artifact, request: Request) -> dict[tuple[str, str], np.ndarray]:
    """bool [n] for each shard: which of its documents are meant."""
    return {
        (artifact.digest, name): request.matches(
            pq.read_table(artifact.path(name), columns=["id", "url", "creator"])
        )
        for name in _shards(artifact)
    }


def _rebuild(store: Store, old: Artifact, request: Request, done: Forgotten) -> Artifact:
    """The artifact without what is meant, its inputs first."""
    if old.digest in done.new:
        return done.new[old.digest]
    inputs = {
        role: _rebuild(store, store.load(digest), request, done).digest
        for role, digest in sorted(old.manifest.inputs.items())
    }
    if old.kind == "signals":  # its rows are those of the corpus, in the same shards
        corpus = store.load(old.manifest.inputs["corpus"])
        meant = list(_masks(corpus, request).values())
        documents = [corpus.path(name) for name in _shards(corpus)]
    else:
        meant = list(_masks(old, request).values())
        documents = [old.path(name) for name in _shards(old)]
    done.ids |= _ids(documents, meant)

    def build(draft: Draft) -> None:
        for name, mask in zip(_shards(old), meant, strict=True):
            _copy(old.path(name), draft.path(name), mask)
        for name in old.manifest.files.keys() - set(_shards(old)):
            draft.path(name).write_bytes(_without_examples(old.path(name).read_bytes(), done.ids))
        _describe(old, draft)

    recipe = old.manifest.recipe
    forgotten = sorted({*recipe.get("forgotten", []), *request.hashes()})
    new = store.make(old.kind, build, inputs=inputs, recipe=recipe | {"forgotten": forgotten})
    done.new[old.digest] = new
    done.shards += len(meant)
    done.rewritten += sum(bool(mask.any()) for mask in meant)
    if old.kind != "signals":  # a dataset may hold fewer of them than its corpus
        done.documents = max(done.documents, sum(int(mask.sum()) for mask in meant))
    return new


def _ids(paths: Iterable[Path], masks: Iterable[np.ndarray]) -> set[str]:
    found: set[str] = set()
    for path, mask in zip(paths, masks, strict=True):
        if mask.any():
            names = pq.read_table(path, columns=["id"]).column("id")
            found.update(names.filter(pa.array(mask)).to_pylist())
    return found


def _copy(source: Path, target: Path, mask: np.ndarray) -> None:
    """A shard without the rows that are meant, row group by row group."""
    if not mask.any():
        os.link(source, target)
        return
    begin = 0
    with (
        pq.ParquetFile(source) as shard,
        pq.ParquetWriter(target, shard.schema_arrow, compression="zstd") as writer,
    ):
        for number in range(shard.num_row_groups):
            table = shard.read_row_group(number)
            stay = ~mask[begin : begin + table.num_rows]
            begin += table.num_rows
            if stay.any():
                writer.write_table(table.filter(pa.array(stay)))


def _without_examples(data: bytes, gone: set[str]) -> bytes:
    """A funnel whose examples do not show what is forgotten."""
    raw = orjson.loads(data)
    for step in raw if isinstance(raw, list) else []:
        step["examples"] = [e for e in step["examples"] if e["id"] not in gone]
    return orjson.dumps(raw)


def _describe(old: Artifact, draft: Draft) -> None:
    """The metrics, licences and creators of what is left."""
    draft.metrics |= old.manifest.metrics
    if old.kind == "signals":
        return
    terms: dict[str, set[str]] = {column: set() for column in TERMS}
    for folder in FOLDERS[old.kind]:
        count = 0
        for name in (n for n in _shards(old) if n.startswith(f"{folder}/")):
            table = pq.read_table(draft.path(name), columns=list(TERMS))
            count += table.num_rows
            for column in TERMS:
                terms[column].update(filter(None, table.column(column).unique().to_pylist()))
        draft.metrics[folder] = count
    draft.license += terms["license"]
    draft.creator += terms["creator"]


def _replace(store: Store, artifact: Artifact, done: Forgotten) -> None:
    """Let names mean what is new, and remove what is old, what was made last first."""
    for digest, new in done.new.items():
        for name in store.names_of(digest):
            store.tag(name, new.digest)
    for digest in reversed(done.new):
        try:
            remove(store, digest)
        except HearthError as error:
            done.kept.append(str(error))
    collect(store)


def summary(done: Forgotten) -> dict[str, Any]:
    """What was done, as plain data."""
    return {
        "documents": done.documents,
        "shards": done.shards,
        "rewritten": done.rewritten,
        "made": {new.kind: new.digest for new in done.new.values()},
        "kept": done.kept,
    }
