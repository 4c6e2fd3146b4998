"""Reading tokenised text: one stream through all shards, by document, by span or in rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from openhearth.data.tokens.pack import Rows
from openhearth.data.tokens.shards import AGAIN, DOCUMENTS, SUFFIXES, Index, Shard, read_index
from openhearth.errors import CorruptArtifact, NotFound, UsageError
from openhearth.store import Artifact


@dataclass(frozen=True)
class TokenCorpus:
    """The tokens of one split, memory-mapped; `len()` is its number of documents.

    They are one stream through all shards: document after document, each with its end of text.
    """

    index: Index
    shards: Sequence[Shard]
    names: Sequence[Path]

    @classmethod
    def open(cls, artifact: Artifact, split: str | None = None) -> TokenCorpus:
        """A split of tokenised text; without a name, the only one.

        Raises:
            UsageError: the artifact is no tokenised text, or has several splits.
            NotFound: it has no such split.
            CorruptArtifact: its files are damaged, or do not fit together.
        """
        index = read_index(artifact)
        split = split or _only(index)
        if split not in index.splits:
            raise NotFound(f"There is no split {split!r}: use one of {', '.join(index.splits)}.")
        said = index.splits[split]
        shards, names = [], []
        for number in range(said.shards):
            tokens, offsets, table = (artifact.path(f"{split}/{number:06}{s}") for s in SUFFIXES)
            shards.append(Shard.open(tokens, offsets, index.dtype))
            names.append(table)
        corpus = cls(index, shards, names)
        if (len(corpus), corpus.size) != (said.documents, said.tokens):
            raise CorruptArtifact(f"{artifact.digest[:12]} is not as its index says: {AGAIN}")
        return corpus

    def __len__(self) -> int:
        return int(self._documents[-1])

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return int(self._tokens[-1])

    @cached_property
    def documents(self) -> pa.Table:
        """`id` and `source` of each document.

        Raises:
            CorruptArtifact: they cannot be read, or there are more or fewer than documents.
        """
        try:
            tables = [pq.read_table(path, schema=DOCUMENTS) for path in self.names]
            table = pa.concat_tables([DOCUMENTS.empty_table(), *tables])
        except (pa.ArrowException, OSError) as error:
            raise CorruptArtifact(f"The documents' names are damaged ({error}): {AGAIN}") from error
        if table.num_rows != len(self):
            raise CorruptArtifact(f"{table.num_rows} names for {len(self)} documents: {AGAIN}")
        return table

    def tokens(self, i: int) -> np.ndarray:
        """uint16 or uint32 [length]: a document's tokens, the end of text included."""
        if not 0 <= i < len(self):
            raise IndexError(f"There is no document {i}: there are {len(self)}.")
        number = int(np.searchsorted(self._documents, i, "right")) - 1
        shard, inner = self.shards[number], i - int(self._documents[number])
        return shard.tokens[shard.offsets[inner] : shard.offsets[inner + 1]]

    def rows(self, length: int | None = None) -> Rows:
        """The tokens in rows of `length`, or of the length that the corpus was packed for.

        Raises:
            UsageError: it was packed for none, or the length is not positive.
        """
        length = self.index.length if length is None else length
        if length is None or length < 1:
            raise UsageError("Rows need a length of 1 or more: say how many tokens a row has.")
        return Rows(self, length)

    def span(self, start: int, stop: int) -> np.ndarray:
        """uint16 or uint32 [stop - start]: part of the stream; no copy inside a shard."""
        pieces = [shard.tokens[a:b] for shard, a, b, _ in self._overlaps(start, stop)]
        return (
            pieces[0]
            if len(pieces) == 1
            else np.concatenate([np.empty(0, self.index.dtype), *pieces])
        )

    def beginnings(self, start: int, stop: int) -> np.ndarray:
        """int64: where documents begin in this part of the stream."""
        found = [np.empty(0, np.int64)]
        for shard, a, b, base in self._overlaps(start, stop):
            first, last = np.searchsorted(shard.offsets[:-1], [a, b])
            found.append(shard.offsets[first:last] + base)
        return np.concatenate(found)

    @cached_property
    def _tokens(self) -> np.ndarray:
        """int64 [shards + 1]: where each shard begins in the stream."""
        return np.cumsum([0, *(len(shard.tokens) for shard in self.shards)], dtype=np.int64)

    @cached_property
    def _documents(self) -> np.ndarray:
        """int64 [shards + 1]: each shard's first document."""
        return np.cumsum([0, *(len(shard.offsets) - 1 for shard in self.shards)], dtype=np.int64)

    def _overlaps(self, start: int, stop: int) -> Iterator[tuple[Shard, int, int, int]]:
        """Shards that hold part of a span: from where to where in them, and where they begin."""
        number = int(np.searchsorted(self._tokens, start, "right")) - 1
        while number < len(self.shards) and self._tokens[number] < stop:
            base, shard = int(self._tokens[number]), self.shards[number]
            yield shard, max(start - base, 0), min(stop - base, len(shard.tokens)), base
            number += 1


def _only(index: Index) -> str:
    if len(index.splits) != 1:
        raise UsageError(f"Say which split: one of {', '.join(index.splits)}.")
    return next(iter(index.splits))
