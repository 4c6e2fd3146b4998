"""What rules say of one document: the value that each looked at, and the lines that it drops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from openhearth.data.rules import Rule
from openhearth.data.verdicts import rulings
from openhearth.errors import UsageError

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
