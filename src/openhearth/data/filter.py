"""Rules applied to documents: a step that keeps what all of them keep, and counts what they
removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from openhearth.data.corpus import account, signed
from openhearth.data.examples import to_examples
from openhearth.data.forms import Output
from openhearth.data.funnel import Row, count_removed, funnel
from openhearth.data.overlay import Joined, read_overlay
from openhearth.data.pipeline import Report
from openhearth.data.rules import Rule, load_rules
from openhearth.data.schema import Corpus
from openhearth.data.shards import overlay
from openhearth.data.signals import Resources, SignalRecipe, signal_table
from openhearth.data.tally import Tally
from openhearth.data.verdicts import Verdicts, judge, kept_text
from openhearth.data.write import write
from openhearth.progress import Progress, silent


class SignalsOf(Protocol):
    """Gives the signals of a batch that a step was given."""

    def __call__(self, batch: pa.RecordBatch) -> pa.Table: ...


@dataclass(frozen=True)
class Computed:
    """Signals computed from the text, only those that rules need."""

    names: tuple[str, ...]
    resources: Resources

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        return signal_table(batch, self.names, self.resources)


@dataclass(frozen=True)
class Published:
    """Signals that lie beside the documents, in the shards of an overlay."""

    shards: tuple[Path, ...]

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        return overlay(batch, self.shards)


def needed(rules: Sequence[Rule]) -> tuple[str, ...]:
    """The signals that rules look at."""
    return tuple(sorted({rule.column for rule in rules}))


def of_answers(rules: Sequence[Rule]) -> bool:
    """Whether a rule looks at answers, so that they are applied to examples."""
    return any(rule.of == "answer" for rule in rules)


def looked_at(corpus: Corpus, rules: Sequence[Rule]) -> Corpus:
    """What rules are applied to: documents, or the examples that they make."""
    return to_examples(corpus) if of_answers(rules) else corpus


@dataclass(frozen=True)
class Filter:
    """A step that keeps the documents, and of them the lines, that pass all rules."""

    rules: tuple[Rule, ...]
    signals_of: SignalsOf

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.RecordBatch:
        tally.count("seen", batch.num_rows)
        signals = self.signals_of(batch)
        verdicts = judge(signals, self.rules)
        for number, rule in enumerate(self.rules):
            gone = np.flatnonzero(verdicts.removed_by == number)
            count_removed(tally, rule.name, batch.take(pa.array(gone)), verdicts.values[gone])
            tally.count(f"lines:{rule.name}", int(verdicts.lines_removed[number]))
        kept = without_lines(batch, signals, verdicts).filter(pa.array(verdicts.kept))
        return account(kept, tally)


def without_lines(batch: pa.RecordBatch, signals: pa.Table, verdicts: Verdicts) -> pa.RecordBatch:
    """Documents without the lines that rules drop."""
    if verdicts.lines is None:
        return batch
    texts = batch.column("text").to_pylist()
    ends = signals.column("line_ends").combine_chunks().flatten().to_numpy()
    for i, (begin, end) in enumerate(zip(verdicts.offsets, verdicts.offsets[1:], strict=False)):
        keep = verdicts.lines[begin:end]
        if not keep.all():
            texts[i] = kept_text(texts[i], ends[begin:end], keep)
    at = batch.schema.get_field_index("text")
    return batch.set_column(at, batch.schema.field(at), pa.array(texts, pa.string()))


def filter_corpus(
    corpus: Corpus,
    names: Sequence[str],
    off: Sequence[str],
    output: Output,
    recipe: SignalRecipe,
    executor: Any = None,
    *,
    signals: str | None = None,
    limit: int | None = None,
    progress: Progress = silent,
) -> tuple[list[Row], Report]:
    """Write the documents that pass rule sets; what each rule removed, and the report.

    `signals` are where signals that were computed before lie, see `read_overlay`.

    Raises:
        NotFound: there is no such rule set, or a file of the recipe is missing.
        UsageError: a rule or a file is wrong, or documents are not what the rules look at.
        HearthError: more than `limit` records were set aside.
    """
    rules = tuple(load_rules(tuple(names), tuple(off)))
    corpus = looked_at(corpus, rules)
    names = needed(rules)
    computed = Computed(names, Resources.load(recipe))
    columns = ("id", "line_ends", *names)
    step = Filter(rules, Joined(read_overlay(signals, columns)) if signals else computed)
    settings = {
        "rules": [rule.model_dump() for rule in rules],
        "signals": signals or signed(recipe),
    }
    report = write(
        corpus, step, output, settings, executor, limit=limit, progress=progress, stage="filter"
    )
    seen = report.tally.counts["seen"]
    return funnel(report.tally, [rule.name for rule in rules], seen), report
