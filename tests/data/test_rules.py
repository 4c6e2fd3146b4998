"""Rule sets: what ships is right, what is wrong says so, toggles remove what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from openhearth.data import Rule, compute, load_rules
from openhearth.data.rules import SHIPPED, keep_lines, shipped
from openhearth.errors import NotFound, UsageError


@pytest.mark.parametrize("name", ["c4", "docstrings", "gopher", "text"])
def test_what_ships_loads_and_is_short(name: str) -> None:
    rules = load_rules(name)
    assert len({rule.name for rule in rules}) == len(rules) > 4
    (path,) = [d / f"{name}.toml" for d in SHIPPED if (d / f"{name}.toml").is_file()]
    assert len(path.read_text().splitlines()) <= 20


def test_the_names_of_what_ships() -> None:
    assert shipped() == ["c4", "docstrings", "gopher", "text"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('x = { signal = "rps_doc_word_cuont", min = 1 }', "did you mean rps_doc_word_count"),
        ('x = { signal = "rps_doc_word_count" }', "needs min or max"),
        ('x = { signal = "rps_doc_word_count", min = 1, on = "line" }', "signal of lines"),
        ('x = { signal = "rps_doc_word_count", minimum = 1 }', "rule x is wrong"),
        ("x = 5", "x is not a rule"),
        ("x = {", "not TOML"),
    ],
)
def test_wrong_rules_say_what_is_wrong(line: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(line)
    with pytest.raises(UsageError, match=text):
        load_rules(str(path))


def test_an_unknown_rule_set_names_those_that_ship() -> None:
    with pytest.raises(NotFound, match="c4, docstrings, gopher, text"):
        load_rules("goopher")


def test_bounds_are_inclusive_and_undefined_values_pass() -> None:
    rule = Rule(name="x", signal="rps_doc_word_count", min=2, max=4)
    values = np.array([1.0, 2.0, 4.0, 4.1, np.nan])
    assert rule.passes(values).tolist() == [False, True, True, False, True]


def test_a_line_signal_on_a_document_is_its_mean() -> None:
    rule = Rule(name="x", signal="rps_lines_num_words", max=2)
    values = rule.values(compute(["one\none two three", ""]))
    assert values[0] == 2.0
    assert np.isnan(values[1])


def test_an_answer_is_looked_at_apart() -> None:
    table = pa.table({"rps_doc_word_count": [50.0], "answer.rps_doc_word_count": [3.0]})
    rule = Rule(name="x", signal="rps_doc_word_count", of="answer", min=5)
    assert rule.values(table).tolist() == [3.0]


def test_lines_are_dropped_that_any_mask_rules_out() -> None:
    masks = [[True, False, True], [True, True, False]]
    assert keep_lines("a\nb\nc", masks) == "a"
    assert keep_lines("a\nb\nc\n", masks) == "a"
