"""Rule sets: what ships is right, what is wrong says so, sets combine without losing a name."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.rules import SHIPPED, Rule, default_rules, load_rules, rule_named, shipped
from openhearth.data.signals import SIGNALS
from openhearth.errors import NotFound, UsageError

WORDS = 'words = { signal = "rps_doc_word_count", min = 1 }'
NAMES = [
    "c4",
    "docstrings",
    "dolma",
    "fineweb",
    "gopher",
    "gopher-quality",
    "gopher-repetition",
    "gopher-rpv2",
    "redpajama-v1",
    "refinedweb",
    "refinedweb-repetition",
    "text",
]


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def names(*sets: str, off: tuple[str, ...] = ()) -> list[str]:
    return [rule.name for rule in load_rules(sets, off)]


def test_the_names_of_what_ships() -> None:
    assert shipped() == NAMES


def test_packages_have_default_rules_of_their_own() -> None:
    assert default_rules("python:click") == ("docstrings",)
    assert default_rules("python/click.py") == default_rules("notes.jsonl") == ("text",)


@pytest.mark.parametrize("name", NAMES)
def test_what_ships_loads_is_short_and_says_where_it_is_from(name: str) -> None:
    rules = load_rules([name])
    assert len({rule.name for rule in rules}) == len(rules) > 1
    assert {rule.signal for rule in rules} <= set(SIGNALS)
    (path,) = [d / f"{name}.toml" for d in SHIPPED if (d / f"{name}.toml").is_file()]
    text = path.read_text().splitlines()
    assert len(text) <= 20
    assert text[0].startswith("# ")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            'x = { signal = "rps_doc_word_cuont", min = 1 }',
            r"\(did you mean rps_doc_word_count\?\)",
        ),
        ('x = { signal = "nothing like it", min = 1 }', "there is no signal 'nothing like it'[.]"),
        ('x = { signal = "rps_doc_word_count" }', "needs min or max"),
        ('x = { signal = "rps_doc_word_count", min = 2, max = 1.5 }', "min 2 is above max 1.5"),
        ('x = { signal = "rps_doc_word_count", min = nan }', "rule x is wrong: min: .*finite"),
        ('x = { signal = "rps_doc_word_count", max = inf }', "rule x is wrong: max: .*finite"),
        ('x = { signal = "rps_doc_word_count", min = true }', "rule x is wrong: min: "),
        ('x = { signal = "rps_doc_word_count", min = "1" }', "rule x is wrong: min: "),
        ('x = { signal = "rps_doc_word_count", min = 1, on = "line" }', "signal of lines"),
        ('x = { signal = "score_mine", min = 1, on = "line" }', "signal of lines"),
        ('x = { signal = "rps_lines_num_words", min = 1, on = "page" }', "rule x is wrong: on: "),
        (
            'x = { signal = "rps_lines_num_words", min = 1, on = "line", of = "answer" }',
            "of the text",
        ),
        (
            'x = { signal = "rps_lines_num_words", min = 1, on = "line", value = "sum" }',
            'value = "sum" needs a signal of lines, on the document',
        ),
        ('x = { signal = "rps_doc_word_count", min = 1, value = "removed" }', "signal of lines"),
        ('x = { signal = "rps_doc_word_count", minimum = 1 }', "rule x is wrong: minimum: "),
        ('x = { signal = "rps_doc_word_count", min = 1, name = "y" }', "rule x is wrong: .*name"),
        ("x = { min = 1 }", "rule x is wrong: signal: "),
        ("x = 5", "x is not a rule"),
        ("x = {", "not TOML"),
        ("x = " + "[" * 9999, "not TOML"),
        ('include = "c4"', "include must be a list"),
        ("include = [4]", "include must be a list"),
    ],
)
def test_wrong_rules_say_what_is_wrong(line: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=text):
        load_rules([write(tmp_path / "mine.toml", line)])


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not TOML"):
        load_rules([str(tmp_path / "mine.toml")])


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_file_is_a_set_or_an_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(UsageError):
        load_rules([str(path)])


@pytest.mark.parametrize("name", ["goopher", "none.toml", "../recipes", "/", "."])
def test_an_unknown_rule_set_names_those_that_ship(name: str) -> None:
    with pytest.raises(NotFound, match="c4, docstrings, dolma, fineweb, gopher, gopher-quality"):
        load_rules([name])


def test_a_rule_has_the_name_of_its_file_before_its_own(tmp_path: Path) -> None:
    assert names(write(tmp_path / "mine.toml", WORDS)) == ["mine.words"]
    assert "c4.javascript" in names("c4")


def test_sets_are_joined_in_their_order_and_once() -> None:
    assert names("c4, fineweb") == names("c4", "fineweb") == names("c4") + names("fineweb")
    assert names("gopher,gopher-quality", "gopher") == names("gopher")
    assert names("gopher-repetition,gopher") == names("gopher-repetition", "gopher-quality")


def test_included_rules_come_first_and_paths_go_from_the_file(tmp_path: Path) -> None:
    write(tmp_path / "more" / "other.toml", WORDS)
    path = write(tmp_path / "mine.toml", f'include = ["more/other.toml", "fineweb"]\n{WORDS}')
    assert names(path) == ["other.words", *names("fineweb"), "mine.words"]


def test_a_set_that_two_include_is_there_once(tmp_path: Path) -> None:
    write(tmp_path / "base.toml", WORDS)
    for name in ("a", "b"):
        write(tmp_path / f"{name}.toml", f'include = ["base.toml"]\n{WORDS}')
    path = write(tmp_path / "top.toml", 'include = ["a.toml", "b.toml"]')
    assert names(path) == ["base.words", "a.words", "b.words"]


def test_a_circle_of_includes_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.toml", 'include = ["b.toml"]')
    path = write(tmp_path / "b.toml", f'include = ["./a.toml"]\n{WORDS}')
    with pytest.raises(UsageError, match=r"b\.toml includes itself"):
        load_rules([path])


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    paths = [write(tmp_path / folder / "mine.toml", WORDS) for folder in ("a", "b")]
    with pytest.raises(UsageError, match="would both be mine: rename one"):
        load_rules(paths)


def test_rules_are_switched_off_by_full_or_short_name() -> None:
    everything = names("c4,fineweb")
    for off in ("javascript", "c4.javascript"):
        assert names("c4,fineweb", off=(off,)) == [n for n in everything if n != "c4.javascript"]


def test_what_cannot_be_switched_off_says_why() -> None:
    with pytest.raises(UsageError, match=r"write c4\.terminal or fineweb\.terminal"):
        load_rules(["c4", "fineweb"], ["terminal"])
    with pytest.raises(UsageError, match=r"no rule javascrpt \(did you mean javascript\?\)"):
        load_rules(["c4"], ["javascrpt"])
    with pytest.raises(UsageError, match="no rule script"):
        load_rules(["c4"], ["script"])


def test_a_full_name_goes_before_one_that_ends_like_it(tmp_path: Path) -> None:
    rules = load_rules(
        [write(tmp_path / "a.toml", WORDS), write(tmp_path / "b.a.toml", WORDS)],
    )
    assert rule_named("a.words", rules).name == "a.words"
    assert rule_named("b.a.words", rules).name == "b.a.words"


def test_a_rule_that_is_not_enabled_is_left_out(tmp_path: Path) -> None:
    text = f'{WORDS}\nother = {{ signal = "rps_doc_word_count", max = 9, enabled = false }}'
    assert names(write(tmp_path / "mine.toml", text)) == ["mine.words"]


def test_bounds_as_one_reads_them() -> None:
    assert Rule(name="x", signal="score_mine", min=0.1).bounds == "0.1 ≤ score_mine"
    assert Rule(name="x", signal="score_mine", min=-1, max=2).bounds == "-1 ≤ score_mine ≤ 2"
