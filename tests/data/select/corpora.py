"""Small corpora for the tests of selection: documents of a few topics, in several parts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import partial

from openhearth.data.schema import Block, Corpus, Part, Quarantine, Row, Rows, document

TOPICS = {
    "cats": "cat kitten purr whisker paw mouse the a and sleeps on soft mat",
    "code": "def return class self import for in if else the a value = ( ) :",
    "money": "bank market the a share price profit fell rose and on Monday %",
}


def documents(
    count: int, seed: int = 0, topics: Sequence[str] = tuple(TOPICS), words: int = 40
) -> list[Row]:
    """Documents whose id says their topic, which is their source too."""
    chance = random.Random(seed)
    rows = []
    for i in range(count):
        topic = topics[i % len(topics)]
        text = " ".join(
            chance.choices(TOPICS[topic].split(), k=chance.randrange(words // 2, 2 * words))
        )
        rows.append(document(f"{topic}-{i}", text, topic, cluster=i % 10))
    return rows


def corpus_of(rows: Sequence[Row], parts: int = 3, block: int = 7, name: str = "here") -> Corpus:
    """Rows as a corpus in so many parts, so many rows a block."""
    size = -(-len(rows) // parts)
    pieces = [rows[i : i + size] for i in range(0, len(rows), size)]
    return Corpus(
        name,
        f"{len(rows)}",
        [Part(str(i), partial(_read, piece, block)) for i, piece in enumerate(pieces)],
    )


def _read(rows: Sequence[Row], block: int, quarantine: Quarantine) -> Iterator[Block]:
    for i in range(0, len(rows), block):
        yield Rows(rows[i : i + block])
