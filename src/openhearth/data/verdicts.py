"""What rules say of documents: which stay, with which lines, and what removed the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from openhearth.data.rules import Rule
from openhearth.errors import UsageError

KEPT = -1  # as the number of the rule that removed a document


@dataclass(frozen=True)
class Verdicts:
    """For each document the number of the rule that removed it, or `KEPT`.

    `removed_by` int32 [n]; `lines` bool [lines of all documents] are those that stay, with
    `offsets` int32 [n + 1], or None where no rule looks at lines. `values` float64 [n] are those
    that removed. `lines_removed` [rules] counts lines by rule, over documents not removed before.
    """

    removed_by: np.ndarray
    values: np.ndarray
    lines: np.ndarray | None
    offsets: np.ndarray
    lines_removed: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """bool [n]"""
        return self.removed_by == KEPT


@dataclass(frozen=True)
class Ruling:
    """What one rule says of documents, whatever the others say of them.

    `values` float64 [n] are its signal's, NaN where undefined; of a rule on lines, how many lines
    it leaves. `out` bool [n] are the documents that it removes. `dropped` bool [lines of all
    documents] are the lines that a rule on lines drops, of those that the rules before it left.
    """

    values: np.ndarray
    out: np.ndarray
    dropped: np.ndarray | None = None


def judge(signals: pa.Table, rules: Sequence[Rule]) -> Verdicts:
    """Apply rules, in their order, to documents with these signals (a row each, as `compute`
    gives). The first that removes a document decides.

    Raises:
        UsageError: the table lacks a rule's signal, or has it for other lines.
    """
    n, offsets = signals.num_rows, line_offsets(signals)
    removed_by = np.full(n, KEPT, np.int32)
    values = np.full(n, np.nan)
    lines = np.ones(offsets[-1], bool)
    lines_removed = np.zeros(len(rules), np.int64)
    for number, ruling in enumerate(rulings(signals, rules)):
        still = removed_by == KEPT
        if ruling.dropped is not None:
            lines_removed[number] = counts(ruling.dropped, offsets)[still].sum()
            lines &= ~ruling.dropped
        new = ruling.out & still
        removed_by[new] = number
        values[new] = ruling.values[new]
    on_lines = any(rule.on == "line" for rule in rules)
    return Verdicts(removed_by, values, lines if on_lines else None, offsets, lines_removed)


def rulings(signals: pa.Table, rules: Sequence[Rule]) -> Iterator[Ruling]:
    """What each rule says, where lines that one has dropped are gone for those after it.

    Raises:
        UsageError: the table lacks a rule's signal, or has it for other lines.
    """
    offsets = line_offsets(signals)
    lines = np.ones(offsets[-1], bool)
    for rule in rules:
        if rule.on == "document":
            values = document_values(signals, rule, lines, offsets)
            yield Ruling(values, ~passes(rule, values))
            continue
        dropped = lines & ~passes(rule, _line_values(signals, rule, offsets))
        before = counts(lines, offsets)
        lines = lines & ~dropped
        left = counts(lines, offsets)
        # A document that had lines and has none any more is gone.
        yield Ruling(left.astype(np.float64), (before > 0) & (left == 0), dropped)


def document_values(
    signals: pa.Table, rule: Rule, lines: np.ndarray, offsets: np.ndarray
) -> np.ndarray:
    """float64 [n]: a rule's value for each document, NaN where undefined; of its lines those in
    `lines`.
    """
    if not rule.is_by_line:
        return pc.fill_null(_column(signals, rule), float("nan")).to_numpy()
    if rule.of == "answer":
        offsets = _offsets(_column(signals, rule))
        lines = np.ones(offsets[-1], bool)
    values = _line_values(signals, rule, offsets)
    kept = lines & ~np.isnan(values)
    if rule.value in ("max", "min"):
        ufunc, none = (np.maximum, -np.inf) if rule.value == "max" else (np.minimum, np.inf)
        found = _reduce(ufunc, np.where(kept, values, none), offsets, none)
        return np.where(np.isinf(found), np.nan, found)
    sums = _reduce(np.add, np.where(kept, values, 0.0), offsets, 0.0)
    if rule.value == "sum":
        return sums
    with np.errstate(divide="ignore", invalid="ignore"):
        if rule.value == "removed":
            all_of_them = _reduce(np.add, np.nan_to_num(values), offsets, 0.0)
            return (all_of_them - sums) / all_of_them
        return sums / counts(kept, offsets)


def passes(rule: Rule, values: np.ndarray) -> np.ndarray:
    """Which values lie within the bounds; undefined ones do."""
    low = -np.inf if rule.min is None else rule.min
    high = np.inf if rule.max is None else rule.max
    return ~((values < low) | (values > high))


def line_offsets(signals: pa.Table) -> np.ndarray:
    """int32 [n + 1]: where each document's lines begin among all; none has any in a table that does
    not tell of lines.
    """
    if "line_ends" not in signals.column_names:
        return np.zeros(signals.num_rows + 1, np.int32)
    return _offsets(signals.column("line_ends"))


def counts(mask: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """int32 [n]: how many are set between each two offsets."""
    before = np.concatenate([[0], np.cumsum(mask, dtype=np.int32)])
    return before[offsets[1:]] - before[offsets[:-1]]


def kept_text(text: str, line_ends: np.ndarray, keep: np.ndarray) -> str:
    """A text without the lines that do not stay. `line_ends` are in characters."""
    starts = np.concatenate([[0], line_ends])[:-1]
    spans = zip(starts[keep].tolist(), line_ends[keep].tolist(), strict=True)
    return "".join(text[a:b] for a, b in spans)


def _column(signals: pa.Table, rule: Rule) -> pa.ChunkedArray:
    try:
        return signals.column(rule.column)
    except KeyError as error:
        raise UsageError(
            f"Rule {rule.name} needs the signal {rule.column}, which these documents do not have: "
            "compute their signals again, or switch the rule off."
        ) from error


def _line_values(signals: pa.Table, rule: Rule, offsets: np.ndarray) -> np.ndarray:
    """float64 [lines of all documents]: a line signal's values, NaN where undefined."""
    flat = _column(signals, rule).combine_chunks().flatten()
    if len(flat) != offsets[-1]:
        raise UsageError(
            f"{rule.column} has values for {len(flat)} lines and the documents have {offsets[-1]}: "
            "compute their signals again."
        )
    return pc.fill_null(flat, float("nan")).to_numpy(zero_copy_only=False)


def _offsets(lists: pa.ChunkedArray) -> np.ndarray:
    """int32 [n + 1]: where each list begins among the values of all."""
    offsets = np.asarray(lists.combine_chunks().offsets)
    return offsets - offsets[0] if len(offsets) else np.zeros(1, np.int32)  # a slice's begin later


def _reduce(ufunc: np.ufunc, values: np.ndarray, offsets: np.ndarray, none: float) -> np.ndarray:
    """float64 [n]: what a ufunc makes of values between offsets; `none` where there are none."""
    if len(offsets) < 2:
        return np.empty(0)
    found = ufunc.reduceat(np.append(values, none), offsets[:-1])
    return np.where(np.diff(offsets) == 0, none, found)  # reduceat gives the next one's there
