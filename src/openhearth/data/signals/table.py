"""All signals of a batch of documents: those of the text, and those that need more than it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from openhearth.data.examples import answer
from openhearth.data.signals.compute import NO_WEIGHTS, Weights, compute
from openhearth.data.signals.names import DOCUMENT_SIGNALS, FAMILIES, LINE_SIGNALS
from openhearth.data.signals.resources import Resources
from openhearth.data.signals.scores import score


def signal_table(
    batch: pa.RecordBatch, names: Iterable[str], resources: Resources | None = None
) -> pa.Table:
    """`id`, `length`, `line_ends` and the named signals of documents in `SCHEMA`, a row each.

    A name may be that of a family; `answer.` before a name means the assistant's text.
    """
    resources = resources or Resources()
    wanted = set(names)
    of_text = [
        name for name in wanted if name in FAMILIES or name in (*DOCUMENT_SIGNALS, *LINE_SIGNALS)
    ]
    scores = wanted - set(of_text)
    languages = [lang or resources.language for lang in batch.column("lang").to_pylist()]
    weights = resources.weights if any("_importance" in name for name in scores) else NO_WEIGHTS

    def of(texts: Sequence[str] | pa.Array, names: list[str], weights: Weights) -> pa.Table:
        return compute(texts, names, lists=resources.lists, languages=languages, weights=weights)

    table = score(batch, of(batch.column("text"), of_text, weights), scores, resources)
    # In order: a set's own differs from process to process.
    answers = sorted(name.removeprefix("answer.") for name in wanted if name.startswith("answer."))
    if answers:
        texts = [answer(m) or "" for m in batch.column("metadata").to_pylist()]
        found = of(texts, answers, NO_WEIGHTS)
        for name in answers:
            table = table.append_column(f"answer.{name}", found.column(name))
    return table.add_column(0, "id", batch.column("id"))
