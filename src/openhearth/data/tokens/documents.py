"""Plain text to tokens: every document of a corpus or a dataset, part by part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from openhearth.data import pipeline
from openhearth.data.corpus import account, counted
from openhearth.data.shards import corpus_of, keep
from openhearth.data.tally import Tally
from openhearth.data.tokenizer import Tokenizer
from openhearth.data.tokens.shards import SUFFIXES, Index, ShardWriter, Split, token_dtype
from openhearth.data.tokens.texts import encode_texts
from openhearth.errors import UsageError
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Draft, Store

FOLDERS = ("documents", "train", "heldout")  # of a corpus, and of a dataset


def tokenize_corpus(
    store: Store,
    documents: Artifact,
    tokenizer: Artifact,
    *,
    packed_length: int | None = None,
    name: str | None = None,
    executor: Any = None,
    progress: Progress = silent,
) -> Artifact:
    """A corpus, or both splits of a dataset, in a tokenizer's tokens; `TokenCorpus` reads them.

    Each document is followed by the end of text, and preceded by the beginning where the
    tokenizer wants one. `packed_length` is how many tokens a row has when the artifact's reader
    asks for rows; they are the same tokens in the same order.

    Raises:
        UsageError: the artifact has no documents, the tokenizer no end of text, or the length is
            not positive.
    """
    folders = text_folders(documents)
    if packed_length is not None and packed_length < 1:
        raise UsageError(
            f"Rows of {packed_length} tokens hold nothing: give a length of 1 or more."
        )
    artifact = store.make(
        "dataset",
        partial(_build, documents, folders, tokenizer, packed_length, executor, progress),
        inputs={"documents": documents.digest, "tokenizer": tokenizer.digest},
        recipe={"length": packed_length},
    )
    if name:
        store.tag(name, artifact.digest)
    return artifact


def text_folders(artifact: Artifact) -> list[str]:
    """Which folders of an artifact hold documents.

    Raises:
        UsageError: none does.
    """
    held = {name.partition("/")[0] for name in artifact.manifest.files}
    folders = [folder for folder in FOLDERS if folder in held]
    if not folders or "index.json" in artifact.manifest.files:
        raise UsageError(
            f"{artifact.digest[:12]} ({artifact.kind}) has no documents: "
            "give a corpus or a curated dataset."
        )
    return folders


def _build(
    documents: Artifact,
    folders: list[str],
    tokenizer: Artifact,
    length: int | None,
    executor: Any,
    progress: Progress,
    draft: Draft,
) -> None:
    step = Encode(Tokenizer.load(tokenizer))
    splits = {}
    for folder in folders:
        report = pipeline.run(
            corpus_of(documents, folder),
            step,
            TokenForm(),
            draft.work / folder,
            executor,
            progress=progress,
            stage="tokens",
        )
        keep_shards(draft, folder, report.files)
        counts = report.tally.counts
        splits[folder] = Split(
            shards=len(report.files), documents=counts["documents"], tokens=counts["tokens"]
        )
        draft.metrics[folder] = {name: counts[name] for name in ("documents", "bytes", "tokens")}
        draft.license += counted(report.tally, "license")
        draft.creator += counted(report.tally, "creator")
    index = Index(
        dtype=step.dtype,
        vocabulary=step.tokenizer.largest_id + 1,
        end_of_text=step.tokenizer.end_of_text,
        tokenizer=tokenizer.digest,
        length=length,
        splits=splits,
    )
    draft.path("index.json").write_text(index.model_dump_json())


@dataclass(frozen=True)
class Encode:
    """A step that gives documents' tokens: `id`, `source` and `tokens`, the end of text last."""

    tokenizer: Tokenizer

    @property
    def dtype(self) -> Any:
        """The type of the tokens."""
        return token_dtype(self.tokenizer.largest_id + 1)

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.Table:
        account(batch, tally)
        bos, end = self.tokenizer.bos, self.tokenizer.end_of_text
        before = [] if bos is None else [bos]
        texts = batch.column("text").to_pylist()
        rows = [[*before, *ids, end] for ids in encode_texts(self.tokenizer, texts)]
        tokens = _lists(rows, self.dtype)
        tally.count("tokens", len(tokens.values))
        return pa.table(
            {"id": batch.column("id"), "source": batch.column("source"), "tokens": tokens}
        )


def _lists(rows: list[list[int]], dtype: str) -> pa.LargeListArray:
    ends = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    values = np.fromiter(chain.from_iterable(rows), dtype, int(ends[-1]))
    return pa.LargeListArray.from_arrays(ends, values)


class TokenForm:
    """Shards of tokens as a form of the pipeline. The part's file has two companions."""

    suffix = SUFFIXES[0]

    def encode(self, table: pa.Table) -> pa.Table:
        """The table as it is."""
        return table

    def writer(self, path: Path) -> ShardWriter:
        """A new shard at `path`."""
        return ShardWriter(path)


def keep_shards(draft: Draft, folder: str, files: Iterable[Path]) -> None:
    """Make finished shards files of an artifact."""
    for suffix in SUFFIXES:
        keep(draft, folder, [file.with_suffix(suffix) for file in files])
