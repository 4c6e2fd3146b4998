"""Texts of a corpus, or of a file, in place of those that are made (rule 6)."""

from __future__ import annotations

import hashlib
import re
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import pyarrow.parquet as pq

from openhearth.bench.workloads.texts import Sentences
from openhearth.data.shards import shard_paths
from openhearth.errors import UsageError
from openhearth.store import Store

MOST_BYTES = 64 << 20  # of what is read, from the beginning
ENDS = re.compile(r"(?<=[.!?])\s+")
LONGEST = 400  # characters of a sentence; tables and the like are cut there


@dataclass(frozen=True)
class Texts:
    """Sentences in the order in which they stand, and the SHA-256 of what they were read from."""

    sentences: list[str]
    digest: str

    def reader(self, rng: Random) -> Sentences:
        """Gives sentence after sentence from a random one on, and after the last the first."""
        place = rng.randrange(len(self.sentences))

        def following() -> str:
            nonlocal place
            place = (place + 1) % len(self.sentences)
            return self.sentences[place]

        return following


@cache
def read_texts(where: str) -> Texts:
    """Those of a file of text, or of a corpus of the store.

    Raises:
        NotFound: there is neither.
        UsageError: there is no text in it.
    """
    path = Path(where)
    if path.is_file():
        content, digest = _beginning(path), ""
    else:
        artifact = Store().get(where)
        content, digest = _documents(shard_paths(artifact, "documents")), artifact.digest
    sentences = [piece for part in ENDS.split(content) for piece in textwrap.wrap(part, LONGEST)]
    if not sentences:
        raise UsageError(f"{where} holds no text: name another in the recipe's `texts`.")
    return Texts(sentences, digest or hashlib.sha256(content.encode()).hexdigest())


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MOST_BYTES).decode(errors="ignore")


def _documents(shards: list[Path]) -> str:
    texts: list[str] = []
    size = 0
    for shard in shards:
        with pq.ParquetFile(shard) as file:
            for batch in file.iter_batches(columns=["text"]):
                texts += [text for text in batch.column(0).to_pylist() if text]
                size += batch.nbytes
                if size > MOST_BYTES:
                    return "\n".join(texts)
    return "\n".join(texts)
