"""Verdicts and their explanation: on every table what a loop over documents and lines says."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.explain import Decision, explain
from openhearth.data.rules import Rule, load_rules
from openhearth.data.signals import compute
from openhearth.data.verdicts import KEPT, judge, kept_text
from openhearth.errors import UsageError

LINE = "rps_lines_num_words"
OTHER_LINE = "rps_lines_javascript_counts"
DOCUMENT = "rps_doc_word_count"


def rule(signal: str = LINE, **fields: Any) -> Rule:
    return Rule(name=f"test.{signal}", signal=signal, **fields)


def table(**columns: list[Any]) -> pa.Table:
    """Lines are of one character each, as many as the first column of lists has values."""
    lists = next((c for c in columns.values() if isinstance(c[0], list)), [[] for _ in range(9)])
    n = len(next(iter(columns.values())))
    ends = pa.array([list(range(1, len(x) + 1)) for x in lists[:n]], pa.list_(pa.uint32()))
    arrays = {
        name: pa.array(c, pa.list_(pa.float64()) if isinstance(c[0], list) else pa.float64())
        for name, c in columns.items()
    }
    return pa.table({"line_ends": ends} | arrays)


# -- One rule -------------------------------------------------------------------------------------


def test_bounds_are_inclusive_and_undefined_values_pass() -> None:
    signals = table(**{DOCUMENT: [1.0, 2.0, 4.0, 4.1, None, math.nan]})
    verdicts = judge(signals, [rule(DOCUMENT, min=2, max=4)])
    assert verdicts.kept.tolist() == [False, True, True, False, True, True]
    assert verdicts.values[[0, 3]].tolist() == [1.0, 4.1]
    assert verdicts.lines is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("mean", 2.0), ("sum", 6.0), ("max", 3.0), ("min", 1.0)],
)
def test_a_line_signal_on_a_document(value: Any, expected: float) -> None:
    """Of the defined lines. Where there is none, the sum is 0 and the others are undefined."""
    signals = table(**{LINE: [[1.0, 2.0, None, 3.0], [None], []]})
    exactly = rule(value=value, min=expected, max=expected)
    kept = [True, value != "sum", value != "sum"]
    assert judge(signals, [exactly]).kept.tolist() == kept
    below = rule(value=value, max=expected - 0.5)
    assert not judge(signals, [below]).kept[0]


def test_lines_go_and_documents_without_any_left() -> None:
    signals = table(**{LINE: [[1.0, 5.0], [1.0, 2.0], [], [None]]})
    verdicts = judge(signals, [rule(on="line", min=3)])
    assert verdicts.kept.tolist() == [True, False, True, True]  # one without lines lost none
    assert verdicts.lines is not None
    assert verdicts.lines.tolist() == [False, True, False, False, True]
    assert verdicts.lines_removed.tolist() == [3]
    assert verdicts.values[1] == 0


def test_an_answer_is_looked_at_apart() -> None:
    signals = table(**{DOCUMENT: [50.0], f"answer.{DOCUMENT}": [3.0]})
    assert not judge(signals, [rule(DOCUMENT, of="answer", min=5)]).kept[0]


def test_lines_of_an_answer_are_its_own() -> None:
    signals = table(**{LINE: [[1.0], [9.0, 9.0]], f"answer.{LINE}": [[4.0, 6.0], []]})
    rules = [rule(on="line", min=2), rule(of="answer", min=5, max=5)]
    assert judge(signals, rules).removed_by.tolist() == [0, KEPT]
    assert judge(signals, rules[1:]).removed_by.tolist() == [KEPT, KEPT]


# -- Several rules ---------------------------------------------------------------------------------


def test_the_first_that_removes_decides() -> None:
    signals = table(**{DOCUMENT: [1.0, 5.0, 9.0]})
    rules = [rule(DOCUMENT, max=8), rule(DOCUMENT, min=3), rule(DOCUMENT, max=5)]
    verdicts = judge(signals, rules)
    assert verdicts.removed_by.tolist() == [1, KEPT, 0]
    assert verdicts.kept.tolist() == [False, True, False]


def test_later_rules_see_the_lines_that_are_left() -> None:
    signals = table(
        **{
            LINE: [[1.0, 8.0, 2.0], [9.0, 9.0, 9.0]],
            OTHER_LINE: [[5.0, 0.0, 5.0], [5.0, 0.0, 0.0]],
        }
    )
    no_script = rule(OTHER_LINE, value="max", max=4)
    assert judge(signals, [no_script]).removed_by.tolist() == [0, 0]
    short = rule(on="line", min=3)
    assert judge(signals, [short, no_script]).removed_by.tolist() == [KEPT, 1]
    assert judge(signals, [no_script, short]).removed_by.tolist() == [0, 0]


def test_the_share_that_was_removed() -> None:
    """Of 80 words 4 are a twentieth, which is exact, and 5 are more."""
    signals = table(**{LINE: [[76.0, 4.0], [75.0, 5.0], [0.0, 0.0], [None], []]})
    rules = [rule(on="line", min=6), rule(value="removed", max=0.05)]
    assert judge(signals, rules[1:]).kept.all()
    assert judge(signals, rules).removed_by.tolist() == [KEPT, 1, 0, KEPT, KEPT]


def test_lines_are_counted_only_in_documents_that_are_still_there() -> None:
    signals = table(**{LINE: [[1.0, 9.0], [1.0, 9.0]], DOCUMENT: [1.0, 2.0]})
    rules = [rule(DOCUMENT, min=2), rule(on="line", min=3), rule(on="line", max=9)]
    assert judge(signals, rules).lines_removed.tolist() == [0, 1, 0]


# -- Tables ----------------------------------------------------------------------------------------


def test_no_documents_and_no_rules() -> None:
    signals = compute([], [LINE, DOCUMENT])
    assert (
        judge(signals, [rule(on="line", min=1), rule(min=1), rule(DOCUMENT, min=1)]).kept.size == 0
    )
    assert judge(compute(["a", ""], []), []).kept.all()


def test_slices_and_chunks_are_judged_as_the_whole() -> None:
    signals = compute([f"{'word ' * i}\nno\n" for i in range(6)], [LINE, DOCUMENT])
    rules = [rule(on="line", min=2), rule(value="sum", min=3)]
    whole = judge(signals, rules).removed_by.tolist()
    assert len(set(whole)) == 3
    assert judge(signals.slice(2), rules).removed_by.tolist() == whole[2:]
    chunks = pa.concat_tables([signals.slice(0, 1), signals.slice(1, 3), signals.slice(4)])
    assert judge(chunks, rules).removed_by.tolist() == whole


def test_a_table_without_the_signal_is_refused() -> None:
    with pytest.raises(UsageError, match=r"test\.rps_lines_num_words needs the signal"):
        judge(compute(["a"], [DOCUMENT]), [rule(min=1)])


def test_lines_of_another_text_are_refused() -> None:
    signals = table(**{OTHER_LINE: [[1.0, 1.0]], LINE: [[1.0]]})
    with pytest.raises(UsageError, match="for 1 lines and the documents have 2"):
        judge(signals, [rule(min=1)])


def test_the_text_that_is_kept() -> None:
    ends = np.array([2, 3, 6])
    assert kept_text("ä\n\nend", ends, np.array([True, False, True])) == "ä\nend"
    assert kept_text("", np.array([], int), np.array([], bool)) == ""


# -- Against a loop --------------------------------------------------------------------------------

numbers = st.none() | st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0])
bounds = st.tuples(st.sampled_from([None, 0.0, 0.5, 1.0]), st.sampled_from([None, 1.0, 2.0]))
documents = st.lists(
    st.tuples(st.lists(st.tuples(numbers, numbers), max_size=4), numbers), min_size=1, max_size=5
)


@st.composite
def any_rules(draw: st.DrawFn) -> list[Rule]:
    rules = []
    for number in range(draw(st.integers(1, 4))):
        low, high = draw(bounds.filter(lambda b: b != (None, None)))
        signal = draw(st.sampled_from([LINE, OTHER_LINE, DOCUMENT]))
        fields: dict[str, Any] = {}
        if signal != DOCUMENT and draw(st.booleans()):
            fields["on"] = "line"
        elif signal != DOCUMENT:
            fields["value"] = draw(st.sampled_from(["mean", "sum", "max", "min", "removed"]))
        rules.append(Rule(name=f"any.{number}", signal=signal, min=low, max=high, **fields))
    return rules


def within(rule: Rule, value: float | None) -> bool:
    if value is None:
        return True
    return (rule.min is None or value >= rule.min) and (rule.max is None or value <= rule.max)


def of_lines(how: str, all_lines: list[float | None], left: list[float | None]) -> float | None:
    known = [value for value in left if value is not None]
    before = sum(value for value in all_lines if value is not None)
    if how == "sum":
        return sum(known)
    if how == "removed":
        return (before - sum(known)) / before if before else None
    if not known:
        return None
    return {"max": max(known), "min": min(known), "mean": sum(known) / len(known)}[how]


def one_by_one(rules: list[Rule], row: dict[str, Any], ends: int) -> tuple[int, list[bool]]:
    """The number of the rule that removes a document, and which of its lines stay."""
    stays, removed_by = [True] * ends, KEPT
    for number, rule in enumerate(rules):
        values = row[rule.signal]
        if rule.on == "line":
            had = any(stays)
            stays = [s and within(rule, v) for s, v in zip(stays, values, strict=True)]
            out = had and not any(stays)
        elif rule.is_by_line:
            left = [v for s, v in zip(stays, values, strict=True) if s]
            out = not within(rule, of_lines(rule.value, values, left))
        else:
            out = not within(rule, values)
        removed_by = number if out and removed_by == KEPT else removed_by
    return removed_by, stays


@settings(deadline=None)
@given(documents, any_rules())
def test_verdicts_are_those_of_a_loop(found: list[Any], rules: list[Rule]) -> None:
    rows = [
        {LINE: [a for a, _ in lines], OTHER_LINE: [b for _, b in lines], DOCUMENT: value}
        for lines, value in found
    ]
    signals = table(**{name: [row[name] for row in rows] for name in (LINE, OTHER_LINE, DOCUMENT)})
    verdicts = judge(signals, rules)
    expected = [one_by_one(rules, row, len(row[LINE])) for row in rows]
    assert verdicts.removed_by.tolist() == [removed_by for removed_by, _ in expected]
    if verdicts.lines is not None:
        assert verdicts.lines.tolist() == [stays for _, lines in expected for stays in lines]
    for i, (row, (removed_by, lines)) in enumerate(zip(rows, expected, strict=True)):
        decisions = explain("x" * len(row[LINE]), signals.slice(i, 1), rules)
        first = next((n for n, d in enumerate(decisions) if d.removed), KEPT)
        assert first == removed_by
        gone = {start for decision in decisions for start, _, _ in decision.spans}
        assert [place not in gone for place in range(len(lines))] == lines


# -- Explained -------------------------------------------------------------------------------------

TEXT = "One line of words.\nshort\nThis one has JavaScript in it.\n"


def test_an_explanation_has_the_values_and_the_spans() -> None:
    rules = load_rules(["c4"], off=("long-words", "lorem-ipsum", "curly-bracket", "policy"))
    signals = compute([TEXT], [rule.signal for rule in rules])
    terminal, words, javascript, sentences = explain(TEXT, signals, rules)
    assert terminal == Decision(
        rule="c4.terminal",
        signal="c4_lines_terminal",
        value=2.0,
        bounds="1 ≤ c4_lines_terminal",
        removed=False,
        spans=[(19, 25, 0.0)],
    )
    assert TEXT[19:25] == "short\n"
    assert words == replace(words, value=2.0, removed=False, spans=[])  # gone already
    assert [TEXT[a:b] for a, b, _ in javascript.spans] == ["This one has JavaScript in it.\n"]
    assert (sentences.value, sentences.removed, sentences.spans) == (1.0, True, [])


def test_rules_are_explained_also_after_one_that_removed() -> None:
    rules = [rule(DOCUMENT, min=9), rule("rps_doc_lorem_ipsum", max=0), rule(DOCUMENT, min=8)]
    decisions = explain(TEXT, compute([TEXT], [r.signal for r in rules]), rules)
    assert [d.removed for d in decisions] == [False, False, False]
    stricter = [rule(DOCUMENT, min=90), rule(DOCUMENT, max=2)]
    decisions = explain(TEXT, compute([TEXT], [DOCUMENT]), stricter)
    assert [d.removed for d in decisions] == [True, True]
    assert decisions[0].value == 11


def test_an_undefined_value_is_none() -> None:
    rules = [rule("rps_doc_mean_word_length", min=3), rule(value="removed", max=0.1)]
    decisions = explain("", compute([""], [r.signal for r in rules]), rules)
    assert [(d.value, d.removed) for d in decisions] == [(None, False), (None, False)]


def test_signals_of_another_text_are_refused() -> None:
    with pytest.raises(UsageError, match="another text"):
        explain("longer", compute(["short"], [DOCUMENT]), [rule(DOCUMENT, min=1)])
    with pytest.raises(UsageError, match="another text"):
        explain("short", compute(["short", "short"], [DOCUMENT]), [rule(DOCUMENT, min=1)])
