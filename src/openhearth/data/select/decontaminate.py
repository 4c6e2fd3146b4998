"""A step that takes texts of evaluation sets out of what is trained on.

An overlap is a run of 13 words, in normalised form, that an evaluation set has too. Documents with
one are dropped, or, as for GPT-3 (Brown et al. 2020, appendix C), cut: the overlap goes with 200
characters on each side, pieces of fewer than 200 are discarded, and a document that falls into more
than 10 pieces goes as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import orjson
import pyarrow as pa

from openhearth.data.corpus import account
from openhearth.data.ngram_index import NgramIndex, Spans
from openhearth.data.schema import Corpus, Row
from openhearth.data.sources.jsonl import is_conversation
from openhearth.data.tally import Tally
from openhearth.errors import UsageError

WINDOW = 200  # characters that go on each side of an overlap
SHORTEST = 200  # characters of a piece
MOST = 10  # pieces of a document
EXAMPLE_CHARACTERS = 200


def index_evaluations(corpora: Mapping[str, Corpus], n: int = 13) -> dict[str, NgramIndex]:
    """The runs of `n` words of evaluation sets, by the name of each.

    Raises:
        UsageError: a set has no text of so many words.
    """
    found = {}
    for name, corpus in corpora.items():
        index = NgramIndex(n)
        for batch in corpus.batches():
            index.add(batch.column("text"))
        if not len(index):
            raise UsageError(
                f"The evaluation set {name} has no text of {n} words: compare fewer words."
            )
        found[name] = index
    return found


@dataclass(frozen=True)
class Decontaminate:
    """Drop documents that overlap with an evaluation set; with `cut`, only what overlaps.

    Each set is a step of the funnel, whose examples are overlaps; a document counts for the first
    set that it overlaps with. What is cut becomes documents `ID#1`, `ID#2`, …; conversations, which
    cannot be cut, are dropped.
    """

    evaluations: Mapping[str, NgramIndex]
    cut: bool = False

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.RecordBatch:
        tally.count("seen", batch.num_rows)
        texts = batch.column("text")
        found = {name: index.spans(texts) for name, index in self.evaluations.items()}
        hit = [i for i in range(batch.num_rows) if any(spans[i] for spans in found.values())]
        if not hit:
            return account(batch, tally)
        kept: list[Row] = []
        for i, row in enumerate(batch.to_pylist()):
            overlaps = {name: spans[i] for name, spans in found.items() if spans[i]}
            kept += self._left(row, overlaps, tally) if overlaps else [row]
        return account(pa.RecordBatch.from_pylist(kept, schema=batch.schema), tally)

    def _left(self, row: Row, overlaps: dict[str, Spans], tally: Tally) -> list[Row]:
        """What stays of a document, as documents."""
        name, spans = next(iter(overlaps.items()))
        begin, end = spans[0]
        overlap = row["text"][begin : min(end, begin + EXAMPLE_CHARACTERS)]
        tally.example(name, {"id": row["id"], "text": overlap})
        left: list[str] = []
        if self.cut and not _is_conversation(row):
            left = pieces(row["text"], sorted(chain(*overlaps.values())))
        tally.count(f"cut:{name}" if left else f"removed:{name}")
        tally.count(f"characters:{name}", len(row["text"]) - sum(map(len, left)))
        return [row | {"id": f"{row['id']}#{i}", "text": text} for i, text in enumerate(left, 1)]


def pieces(text: str, spans: Spans) -> list[str]:
    """What is left between spans, [begin, end) in their order, and their windows; nothing if that
    is too many pieces.
    """
    edges = [0]
    for begin, end in spans:
        # Windows that meet are one.
        begin, end = max(edges[-1], begin - WINDOW), min(len(text), end + WINDOW)
        edges += [begin, max(begin, end)]
    left = [text[a:b] for a, b in zip(edges[::2], [*edges[1::2], len(text)], strict=True)]
    left = [piece for piece in left if piece]
    return [] if len(left) > MOST else [piece for piece in left if len(piece) >= SHORTEST]


def _is_conversation(row: Row) -> bool:
    return is_conversation(orjson.loads(row["metadata"] or "{}").get("messages"))
