"""Plain text as tokens: shards of one stream, and an index that says what they are.

    index.json              dtype, vocabulary, end of text, tokenizer, and the sizes of each split
    SPLIT/000000.bin        tokens, little-endian, document after document
    SPLIT/000000.offsets    int64: where each document begins, and at last where the tokens end
    SPLIT/000000.parquet    id and source of each document

The tokens are 16 bits wide where the vocabulary fits, else 32. Readers map files into memory, and
trust none of them before sizes and offsets were checked against each other.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openhearth.errors import CorruptArtifact, UsageError
from openhearth.store import Artifact

DOCUMENTS = pa.schema([("id", pa.string()), ("source", pa.string())])
_, OFFSETS, NAMES = SUFFIXES = (".bin", ".offsets", ".parquet")
Count = Annotated[int, Field(ge=0)]
AGAIN = "tokenise the text again, or get the artifact from another source."


class Split(BaseModel):
    """How much a split holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shards: Count
    documents: Count
    tokens: Count


class Index(BaseModel):
    """What the tokens of an artifact are.

    Ids are below `vocabulary`. `end_of_text` follows each document, `tokenizer` is the digest of
    the artifact that made the tokens; both are null where they are not known. `length` is that of
    the rows which were asked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dtype: Literal["uint16", "uint32"]
    vocabulary: Annotated[int, Field(gt=0, le=1 << 32)]
    end_of_text: Count | None
    tokenizer: str | None
    length: Annotated[int, Field(gt=0)] | None
    splits: dict[str, Split]


def token_dtype(vocabulary: int) -> Literal["uint16", "uint32"]:
    """The narrowest type for ids below `vocabulary`."""
    return "uint16" if vocabulary <= 1 << 16 else "uint32"


def little(dtype: str) -> np.dtype:
    """A type as it lies in files."""
    return np.dtype(dtype).newbyteorder("<")


class ShardWriter:
    """Writes the files of one shard: tokens at `path`, the other two beside it."""

    def __init__(self, path: Path) -> None:
        self._beside = [path.with_suffix(suffix) for suffix in (OFFSETS, NAMES)]
        self._parts = [file.with_name(f"{file.name}.part") for file in self._beside]
        self._tokens, self._offsets = path.open("wb"), self._parts[0].open("wb")
        self._names = pq.ParquetWriter(self._parts[1], DOCUMENTS, compression="zstd")
        self._end = 0
        self._offsets.write(np.zeros(1, "<i8").tobytes())

    def write(self, encoded: pa.Table) -> None:
        """Add documents: a table of `id`, `source` and `tokens`."""
        tokens = encoded.column("tokens").combine_chunks()
        self.add_tokens(tokens.flatten().to_numpy())
        self.add_documents(np.diff(tokens.offsets.to_numpy()), encoded.select(DOCUMENTS.names))

    def add_tokens(self, tokens: np.ndarray) -> None:
        """Add to the stream; documents may be told later."""
        self._tokens.write(np.ascontiguousarray(tokens, little(tokens.dtype.name)).data)

    def add_documents(self, lengths: np.ndarray, names: pa.Table) -> None:
        """Add documents, of so many tokens each, whose tokens are in the stream."""
        if len(lengths):
            ends = self._end + np.cumsum(lengths, dtype="<i8")
            self._end = int(ends[-1])
            self._offsets.write(ends.tobytes())
            self._names.write_table(names)

    def close(self) -> None:
        self._tokens.close()
        self._offsets.close()
        self._names.close()
        for part, file in zip(self._parts, self._beside, strict=True):
            os.replace(part, file)


@dataclass(frozen=True)
class Shard:
    """One shard, mapped into memory: uint16 or uint32 [n], int64 [documents + 1]."""

    tokens: np.ndarray
    offsets: np.ndarray

    @classmethod
    def open(cls, tokens: Path, offsets: Path, dtype: str) -> Shard:
        """The shard in these files.

        Raises:
            CorruptArtifact: they do not fit together.
        """
        shard = cls(mapped(tokens, little(dtype)), mapped(offsets, little("int64")))
        ends = shard.offsets
        if not len(ends) or ends[0] != 0 or ends[-1] != len(shard.tokens):
            raise CorruptArtifact(f"{offsets} does not end where {tokens} ends: {AGAIN}")
        if not np.all(ends[1:] >= ends[:-1]):
            raise CorruptArtifact(f"The offsets in {offsets} go backwards: {AGAIN}")
        return shard


def mapped(path: Path, dtype: np.dtype) -> np.ndarray:
    """A file of numbers, mapped into memory.

    Raises:
        CorruptArtifact: it ends within a number.
    """
    size = path.stat().st_size
    if size % dtype.itemsize:
        raise CorruptArtifact(f"{path} is no whole number of {dtype.name} long: {AGAIN}")
    # An empty file cannot be mapped.
    return np.asarray(np.memmap(path, dtype, "r")) if size else np.empty(0, dtype)


def read_index(artifact: Artifact) -> Index:
    """What `index.json` of an artifact says.

    Raises:
        UsageError: it has none.
        CorruptArtifact: it is not an index.
    """
    if artifact.kind != "dataset" or "index.json" not in artifact.manifest.files:
        raise UsageError(f"{artifact.digest[:12]} is no tokenised text: make it of a corpus first.")
    try:
        return Index.model_validate_json(artifact.path("index.json").read_bytes())
    except ValidationError as error:
        raise CorruptArtifact(f"The index of {artifact.digest[:12]} is wrong: {AGAIN}") from error
