"""Megatron-LM's indexed datasets, in and out: `NAME.bin` with tokens and `NAME.idx` about them.

The index, little-endian: the magic `MMIDIDX` and two zero bytes; u64 version 1; u8 code of the
tokens' type; u64 number of sequences; u64 length of the last table; int32 tokens of each sequence;
int64 byte at which each begins; int64 first sequence of each document, and at last their number.
Source: `megatron/core/datasets/indexed_dataset.py` of Megatron-LM 0.12.
"""

from __future__ import annotations

import itertools
import os
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from openhearth.data.tokens.shards import (
    DOCUMENTS,
    SUFFIXES,
    Index,
    Shard,
    ShardWriter,
    Split,
    little,
    mapped,
    token_dtype,
)
from openhearth.data.tokens.stream import TokenCorpus
from openhearth.errors import CorruptArtifact, NotFound, UsageError
from openhearth.store import Artifact, Draft, Store, file_digest

MAGIC, VERSION = b"MMIDIDX\0\0", 1
HEADER = struct.Struct("<9sQBQQ")
# 6 and 7 are floating point, which no token is; unsigned 32 bits have no code.
CODES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 8: "uint16"}
LONGEST = (1 << 31) - 1  # tokens of a sequence, and the largest id of 32 bits
CHUNK = 1 << 22  # numbers in memory at a time
GROUP = 1 << 16  # documents whose names are written together
TABLES = ("<i4", "<i8", "<i8")
FOLDER = "documents"
AGAIN = "make it again, or get it from another source."


def export_megatron(artifact: Artifact, path: Path, split: str | None = None) -> tuple[Path, Path]:
    """Write tokenised text as `path`.bin and `path`.idx, a sequence a document; return both.

    Tokens of 32 bits become signed, as Megatron has them.

    Raises:
        UsageError: the artifact is no tokenised text or has several splits, there is no folder to
            write to, or an id or a document is larger than Megatron's types.
        NotFound: there is no such split.
        CorruptArtifact: the artifact is damaged.
    """
    corpus = TokenCorpus.open(artifact, split)
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}: make it first.")
    longest = max((int(np.diff(s.offsets).max(initial=0)) for s in corpus.shards), default=0)
    if max(corpus.index.vocabulary - 1, longest) > LONGEST:
        raise UsageError(
            f"Megatron's types end at {LONGEST}, and there is an id or a document beyond: "
            "split the document, or use a smaller vocabulary."
        )
    # The index comes last: without one, Megatron sees no dataset.
    targets = _beside(path, ".bin"), _beside(path, ".idx")
    for target, write in zip(targets, (_write_tokens, _write_index), strict=True):
        temporary = target.with_name(f".{target.name}.part")
        with temporary.open("wb") as file:
            write(file, corpus)
        os.replace(temporary, target)
    return targets


def _beside(path: Path, suffix: str) -> Path:
    """The file of a dataset, whose name may have dots and may be that of either file."""
    stem = path.name.removesuffix(".bin").removesuffix(".idx")
    return path.with_name(stem + suffix)


def _write_tokens(file: BinaryIO, corpus: TokenCorpus) -> None:
    for shard in corpus.shards:
        file.write(shard.tokens.data)


def _write_index(file: BinaryIO, corpus: TokenCorpus) -> None:
    dtype = "uint16" if corpus.index.dtype == "uint16" else "int32"
    code = next(code for code, name in CODES.items() if name == dtype)
    file.write(HEADER.pack(MAGIC, VERSION, code, len(corpus), len(corpus) + 1))
    for shard in corpus.shards:
        file.write(np.diff(shard.offsets).astype("<i4").data)
    base = 0
    for shard in corpus.shards:
        pointers = (shard.offsets[:-1] + base) * little(dtype).itemsize
        file.write(pointers.astype("<i8").data)
        base += len(shard.tokens)
    for first in range(0, len(corpus) + 1, CHUNK):
        file.write(np.arange(first, min(first + CHUNK, len(corpus) + 1), dtype="<i8").data)


def import_megatron(store: Store, path: Path, *, name: str | None = None) -> Artifact:
    """Tokenised text of `path`.bin and `path`.idx, one shard; `TokenCorpus` reads it.

    Sequences of one document become one. Which tokenizer made the tokens is not known.

    Raises:
        NotFound: a file is missing.
        CorruptArtifact: the files are no such dataset, are damaged, or hold what is no token.
    """
    files = _beside(path, ".bin"), _beside(path, ".idx")
    for file in files:
        if not file.is_file():
            raise NotFound(f"There is no file {file}: a Megatron dataset is a .bin and a .idx.")

    source = files[0].stem

    def build(draft: Draft) -> None:
        found = open_megatron(*files)
        vocabulary = _largest(found.tokens, files[0]) + 1
        dtype = token_dtype(vocabulary)
        _copy(found, source, dtype, ShardWriter(draft.path(f"{FOLDER}/000000{SUFFIXES[0]}")))
        counts = {"documents": len(found.offsets) - 1, "tokens": len(found.tokens)}
        index = Index(
            dtype=dtype,
            vocabulary=vocabulary,
            end_of_text=None,
            tokenizer=None,
            length=None,
            splits={FOLDER: Split(shards=1, **counts)},
        )
        draft.path("index.json").write_text(index.model_dump_json())
        draft.metrics[FOLDER] = counts

    digests = {file.suffix[1:]: file_digest(file) for file in files}
    artifact = store.make("dataset", build, recipe={"megatron": digests, "source": source})
    if name:
        store.tag(name, artifact.digest)
    return artifact


def open_megatron(tokens: Path, index: Path) -> Shard:
    """The two files mapped into memory: tokens of their own type, and where documents begin.

    Raises:
        CorruptArtifact: they are no such dataset, or do not fit together.
    """
    content = mapped(index, np.dtype(np.uint8))
    if len(content) < HEADER.size:
        raise CorruptArtifact(f"{index} is too short for an index: {AGAIN}")
    magic, version, code, sequences, marks = HEADER.unpack(content[: HEADER.size].tobytes())
    if magic != MAGIC or version != VERSION or code not in CODES:
        raise CorruptArtifact(
            f"{index} is no index of tokens that Megatron-LM wrote (version 1): check the path."
        )
    sizes = (4 * sequences, 8 * sequences, 8 * marks)
    ends = list(itertools.accumulate(sizes, initial=HEADER.size))
    if not marks or len(content) != ends[-1]:
        raise CorruptArtifact(f"{index} is not as long as its header says: {AGAIN}")
    parts = [content[a:b] for a, b in itertools.pairwise(ends)]
    lengths, pointers, firsts = (p.view(t) for p, t in zip(parts, TABLES, strict=True))
    data = mapped(tokens, little(CODES[code]))
    starts = np.cumsum(np.concatenate(([0], lengths)), dtype=np.int64)
    if (
        np.any(lengths < 0)
        or starts[-1] != len(data)
        or not np.array_equal(pointers, starts[:-1] * data.itemsize)
    ):
        raise CorruptArtifact(f"The sequences in {index} are not those in {tokens}: {AGAIN}")
    if firsts[0] != 0 or firsts[-1] != sequences or np.any(firsts[1:] < firsts[:-1]):
        raise CorruptArtifact(f"The documents in {index} are not made of its sequences: {AGAIN}")
    return Shard(data, starts[firsts])


def _largest(tokens: np.ndarray, file: Path) -> int:
    largest = 0
    for first in range(0, len(tokens), CHUNK):
        chunk = tokens[first : first + CHUNK]
        largest = max(largest, int(chunk.max()))
        if chunk.min() < 0 or largest >= 1 << 32:
            raise CorruptArtifact(f"{file} holds numbers that are no token ids: {AGAIN}")
    return largest


def _copy(found: Shard, source: str, dtype: str, writer: ShardWriter) -> None:
    for first in range(0, len(found.tokens), CHUNK):
        writer.add_tokens(found.tokens[first : first + CHUNK].astype(dtype))
    lengths = np.diff(found.offsets)
    for first in range(0, len(lengths), GROUP):
        chunk = lengths[first : first + GROUP]
        ids = [f"{source}/{number}" for number in range(first, first + len(chunk))]
        names = pa.table({"id": ids, "source": [source] * len(chunk)}, schema=DOCUMENTS)
        writer.add_documents(chunk, names)
    writer.close()
