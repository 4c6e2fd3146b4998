"""What-if: the counts are those of filtering with the other thresholds."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data import CurateRecipe, Rule, compute, curate, load_rules
from openhearth.data.what_if import change, compare, read_signals, rules_of
from openhearth.errors import NotFound, UsageError
from openhearth.store import Store

WORDS = Rule(name="words", signal="rps_doc_word_count", min=3, max=6)
LINES = Rule(name="line-words", signal="rps_lines_num_words", on="line", min=2)
TEXTS = ["one", "one two three", "a b c d e f g", "one\ntwo words\nthree more words", ""]


def kept(rule: Rule, texts: list[str]) -> int:
    counts = compute(texts).column("rps_doc_word_count").to_pylist()
    low, high = rule.min or 0, rule.max if rule.max is not None else 99
    return sum(low <= count <= high for count in counts)


@given(st.integers(3, 9))
def test_counts_are_those_of_the_rules(threshold: int) -> None:
    after = change([WORDS], [f"words.max={threshold}"])
    found = compare([compute(TEXTS), compute(TEXTS[:2])], [WORDS], after)
    assert found["kept"] == {
        key: kept(rule, TEXTS) + kept(rule, TEXTS[:2])
        for key, rule in (("before", WORDS), ("after", after[0]))
    }
    assert found["removed"]["words"]["after"] == found["documents"] - found["kept"]["after"]
    assert found["gained"] - found["lost"] == found["kept"]["after"] - found["kept"]["before"]
    assert found["documents"] == len(TEXTS) + 2


def test_changes_move_remove_and_switch_off() -> None:
    assert change([WORDS], ["words.min=none", "words.max=4.5"])[0].bounds.endswith("≤ 4.5")
    assert change([WORDS, LINES], ["words=off"]) == [LINES]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("words", "write RULE.min"),
        ("words.low=3", "write RULE.min"),
        ("nothing.min=3", "no rule nothing"),
        ("words.min=many", "must be a number"),
    ],
)
def test_wrong_changes_say_what_is_right(wrong: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        change([WORDS], [wrong])


def test_a_rule_without_bounds_is_no_rule() -> None:
    with pytest.raises(UsageError, match="makes no rule"):
        change([WORDS], ["words.min=none", "words.max=none"])


def test_only_the_columns_that_are_needed_are_read(tmp_path: Path) -> None:
    for number in range(2):
        table = compute(TEXTS).add_column(0, "id", pa.array(map(str, range(len(TEXTS)))))
        pq.write_table(table, tmp_path / f"{number}.parquet")
    table = pa.concat_tables(read_signals(str(tmp_path), [WORDS, LINES]))
    assert table.column_names == ["line_ends", "rps_doc_word_count", "rps_lines_num_words"]
    assert table.num_rows == 2 * len(TEXTS)
    (table, _) = read_signals(str(tmp_path / "0.parquet"), [WORDS])
    assert table.column_names == ["rps_doc_word_count"]


def test_a_dataset_in_the_store_has_signals_and_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path / "home"))
    dataset = curate(Store(), CurateRecipe(source="python:click,pytest", off=("javascript",)))
    signals = pa.concat_tables(read_signals(dataset.digest, rules_of(dataset.digest, ())))
    assert signals.num_rows == dataset.manifest.metrics["documents"]
    made = load_rules(["docstrings"], ["javascript"])
    assert rules_of(dataset.digest, ()) == made
    assert rules_of(dataset.digest, (), ["words"]) == [r for r in made if r.name[-6:] != ".words"]
    assert rules_of(dataset.digest, ["c4"], ["policy"]) == load_rules(["c4"], ["policy"])
    with pytest.raises(UsageError, match="no rule javascript"):
        rules_of(dataset.digest, (), ["javascript"])


def test_of_files_the_default_rules_are_taken(tmp_path: Path) -> None:
    assert rules_of(str(tmp_path), ()) == load_rules(["text"])
    assert rules_of(str(tmp_path), ["c4"], ["policy"]) == load_rules(["c4"], ["policy"])


def test_missing_signals_are_named(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    pq.write_table(pa.table({"id": ["a"], "line_ends": [[1]]}), path)
    with pytest.raises(UsageError, match="rps_doc_word_count"):
        list(read_signals(str(path), [WORDS]))
    with pytest.raises(NotFound):
        list(read_signals("nothing-by-this-name", [WORDS]))
