"""Texts for the tests of de-duplication: at the edges of what runs of words are, and copies."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pyarrow as pa

from openhearth.data.schema import SCHEMA, Corpus, Part, Rows, document

EDGES = [
    "",
    "one two three four five six seven eight nine ten eleven twelve",
    "One, two; three! four? five. six: seven (eight) nine [ten] eleven-twelve thirteen fourteen",
    "one two three four five six seven eight nine ten eleven twelve thirteen",
    "again " * 40,
    "Straße Ärger Übung Éclair naïve café Ångström Ѐлка ΟΔΥΣΣΕΥΣ ΑΣ'Ω İstanbul ǅungla ﬁn 한국어 가",
    "日本 語の 文章 です 。 これ は 十三 語 以上 の 長さ に なる よう に 作ら れ た 文 です",
    "\u2028tabs\tand\u00a0no-break\u3000spaces\r\nand\x1cseparators " * 4,
    "- - - \u2013 \u2014 \u2026 ... !!! ??? \u201cquoted\u201d \u2018words\u2019 stay as they are "
    * 3,
    " ".join(f"word{i % 29}" for i in range(700)),
    "x" * 300 + " " + " ".join("abcdefghijklmnopqrstuvwxyz") + " e\u0323\u0302 e\u0302\u0323",
]


def varied(length: int, changed: int, seed: int) -> tuple[str, str]:
    """Two texts of `length` words that differ in `changed` places spread evenly."""
    chance = random.Random(seed)
    one = [f"w{chance.randrange(10**6)}" for _ in range(length)]
    other = list(one)
    for k in range(changed):
        other[k * length // changed] = f"x{k}"
    return " ".join(one), " ".join(other)


def corpus_of(texts: Sequence[str], *, block: int = 3, part: int = 7, **columns: list) -> Corpus:
    """Texts as a corpus of blocks of `block` documents, and parts of `part` of these."""
    rows = [document(f"d{i}", text, "test") for i, text in enumerate(texts)]
    for name, values in columns.items():
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    blocks = [Rows(rows[i : i + block]) for i in range(0, len(rows), block)]
    blocks.insert(1, Rows([]))  # all of its documents were set aside
    parts = [blocks[i : i + part] for i in range(0, len(blocks), part)]
    return Corpus(
        "test", "", [Part(f"{i}", lambda _, found=found: found) for i, found in enumerate(parts)]
    )


def batch_of(texts: Sequence[str], **columns: list) -> pa.RecordBatch:
    """Texts as one batch of documents."""
    rows = [document(f"d{i}", text, "test") for i, text in enumerate(texts)]
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    for name, values in columns.items():
        at = SCHEMA.get_field_index(name)
        batch = batch.set_column(at, SCHEMA.field(at), pa.array(values, pa.string()))
    return batch
