"""What rules say of one document, or of an example that it makes: the value that each looked at,
and the lines that it drops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from openhearth.data.examples import document_of
from openhearth.data.filter import looked_at, of_answers
from openhearth.data.rules import Rule
from openhearth.data.schema import Corpus, Part, Rows
from openhearth.data.verdicts import rulings
from openhearth.errors import NotFound, UsageError

Span = tuple[int, int, float]


@dataclass(frozen=True)
class Decision:
    """What one rule says of a document, also after another that removed it.

    `value` is None where undefined; of a rule on lines it is how many lines it leaves. `spans` are
    the lines that such a rule drops: [start, end) in characters, and the line's value.
    """

    rule: str
    signal: str
    value: float | None
    bounds: str
    removed: bool
    spans: list[Span]


def find(corpus: Corpus, identity: str | None, rules: Sequence[Rule]) -> pa.RecordBatch:
    """The row that rules look at: of the document of an id, or of the first example that it makes,
    or of the example of that id. Without an id it is the first row of all.

    Raises:
        NotFound: there is no such document, or it makes no example.
    """
    if identity is not None:
        corpus = _only(
            corpus, {identity, document_of(identity)} if of_answers(rules) else {identity}
        )
    found = next(looked_at(corpus, rules).batches(), None)
    if found is None and of_answers(rules):
        raise NotFound(
            f"{identity or corpus.location} makes no examples, which rules on answers look at: use "
            "rules on documents, such as gopher."
        )
    if found is None:
        raise NotFound(f"{corpus.location} holds no documents: check what is there.")
    names = found.column("id").to_pylist()
    return found.slice(names.index(identity) if identity in names else 0, 1)


def _only(corpus: Corpus, names: set[str]) -> Corpus:
    """The first document of one of these ids."""
    wanted = pa.array(sorted(names))
    for batch in corpus.batches():
        if found := batch.filter(pc.is_in(batch.column("id"), wanted)).slice(0, 1).to_pylist():
            return Corpus(corpus.location, "", [Part("", lambda quarantine: [Rows(found)])])
    raise NotFound(
        f"{corpus.location} has no document {' or '.join(sorted(names))}: `hearth data read` shows "
        "some ids."
    )


def explain(text: str, signals: pa.Table, rules: Sequence[Rule]) -> list[Decision]:
    """A decision for each rule, in their order. `signals` is the text's row, as `compute` gives.

    Raises:
        UsageError: the signals are of another text, or lack one that a rule looks at.
    """
    ends = signals.column("line_ends").combine_chunks().flatten().to_pylist()
    if signals.num_rows != 1 or (ends or [0])[-1] != len(text):
        raise UsageError("These signals are of another text: compute them again.")
    return [
        Decision(
            rule=rule.name,
            signal=rule.column,
            value=None if np.isnan(ruling.values[0]) else float(ruling.values[0]),
            bounds=rule.bounds,
            removed=bool(ruling.out[0]),
            spans=_spans(signals, rule, ruling.dropped, ends),
        )
        for rule, ruling in zip(rules, rulings(signals, rules), strict=True)
    ]


def _spans(
    signals: pa.Table, rule: Rule, dropped: np.ndarray | None, ends: list[int]
) -> list[Span]:
    if dropped is None:
        return []
    values = signals.column(rule.column).combine_chunks().flatten().to_pylist()
    lines = zip([0, *ends][:-1], ends, values, dropped, strict=True)
    return [(start, end, value) for start, end, value, gone in lines if gone]
