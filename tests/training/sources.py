"""Items by hand: sequences of random tokens of chosen lengths, the later half of each counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openhearth.data import TokenShards
from openhearth.data.tokens import TokenCorpus
from openhearth.data.tokens.shards import Index, Shard
from openhearth.training.items import Examples, PackedRows

VOCABULARY = 64


def examples(lengths: Sequence[int], *, together: int = 1, seed: int = 0) -> Examples:
    generator = np.random.default_rng(seed)
    tokens = [generator.integers(0, VOCABULARY, n) for n in lengths]
    counts = [np.arange(n) >= n // 2 for n in lengths]
    shards = TokenShards(
        np.cumsum([0, *lengths], dtype=np.int64),
        np.concatenate([*tokens, []]).astype("<u4"),
        np.concatenate([*counts, []]).astype(np.uint8),
        [{"source": str(i)} for i in range(len(lengths))],
    )
    return Examples(shards, together)


def rows(lengths: Sequence[int], length: int, *, seed: int = 0) -> PackedRows:
    """Documents of these lengths, one after the other, in rows."""
    tokens = np.random.default_rng(seed).integers(0, VOCABULARY, sum(lengths)).astype("<u2")
    index = Index(
        dtype="uint16",
        vocabulary=VOCABULARY,
        end_of_text=None,
        tokenizer=None,
        length=None,
        splits={},
    )
    shard = Shard(tokens, np.cumsum([0, *lengths], dtype=np.int64))
    return PackedRows(TokenCorpus(index, [shard], []).rows(length))
