"""Shards of an artifact: Parquet files, row group by row group; an overlay has the same rows in the
same places.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from openhearth.data.pipeline import place
from openhearth.data.schema import Block, Corpus, Part, Quarantine
from openhearth.errors import UsageError
from openhearth.store import Artifact, Draft


@dataclass(frozen=True)
class Group:
    """One row group of a shard."""

    path: Path
    number: int

    def batch(self, quarantine: Quarantine) -> pa.RecordBatch:
        """Its rows."""
        table = read_group(self.path, self.number)
        batches = table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
        return batches[0]


def read_group(path: Path, number: int) -> pa.Table:
    """One row group, in one chunk."""
    with pq.ParquetFile(path) as file:
        return file.read_row_group(number).combine_chunks()


def shard_names(artifact: Artifact, folder: str) -> list[str]:
    """The shards of a folder of an artifact, in their order.

    Raises:
        UsageError: it has none.
    """
    inside = [n for n in artifact.manifest.files if n.startswith(f"{folder}/")]
    names = sorted(n for n in inside if n.endswith(".parquet"))
    if not names:
        what = f"{artifact.digest[:12]} ({artifact.kind})"
        raise UsageError(
            f"{what} holds tokens, not text: name what it was made of."
            if inside
            else f"{what} has no {folder}: make it anew."
        )
    return names


def shard_paths(artifact: Artifact, folder: str) -> list[Path]:
    """Where they lie.

    Raises:
        UsageError: it has none.
    """
    return [artifact.path(name) for name in shard_names(artifact, folder)]


def corpus_of(artifact: Artifact, folder: str) -> Corpus:
    """The shards of an artifact as a corpus, a part each."""
    names = shard_names(artifact, folder)
    parts = [Part(name, partial(_groups, artifact.path(name))) for name in names]
    return Corpus(artifact.digest, artifact.digest, parts)


def corpus_of_files(paths: Sequence[Path], fingerprint: str) -> Corpus:
    """Parquet files of documents as a corpus, a part each."""
    return Corpus(
        str(paths[0].parent) if paths else "",
        fingerprint,
        [Part(path.name, partial(_groups, path)) for path in paths],
    )


def _groups(path: Path, quarantine: Quarantine) -> Iterator[Block]:
    with pq.ParquetFile(path) as file:
        count = file.num_row_groups
    return (Group(path, number) for number in range(count))


def overlay(batch: pa.RecordBatch, shards: Sequence[Path]) -> pa.Table:
    """The rows that the shards of an overlay have for a batch that a step was given."""
    part, group = place(batch)
    return read_group(shards[part], group)


def keep(draft: Draft, folder: str, files: Sequence[Path]) -> None:
    """Make finished parts files of an artifact; they stay in `work` until it is whole."""
    for number, path in enumerate(files):
        target = draft.path(f"{folder}/{number:06}{path.suffix}")
        try:
            os.link(path, target)
        except OSError:  # a file system without links
            shutil.copyfile(path, target)


def read_split(artifact: Artifact, split: str, columns: Sequence[str] | None = None) -> pa.Table:
    """One split of a dataset as a table in memory.

    Raises:
        UsageError: the artifact has no such split.
    """
    tables = [pq.read_table(path, columns=columns) for path in shard_paths(artifact, split)]
    return pa.concat_tables(tables)
