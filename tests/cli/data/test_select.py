"""`hearth data select` and `mix`: which documents, and how many of each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.data.conftest import read_lines, story, write_lines


def tables(seed: int) -> str:
    return " ".join(f"Row {seed} has {n} chairs, {n * seed} tables and no lamps." for n in range(9))


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Ten stories, the last one the longest, and five texts about furniture."""
    texts = [*(story(i, sentences=20 + i) for i in range(10)), *map(tables, range(5))]
    return write_lines(tmp_path / "docs.jsonl", texts)


def test_those_that_are_like_a_target(hearth: Any, docs: Path) -> None:
    target = write_lines(docs.with_name("target.jsonl"), map(tables, range(90, 95)))
    out = docs.with_name("chosen.jsonl")
    command = ("data", "select", str(docs), "--target", str(target), "--n", "5")
    result = hearth(*command, "--per-word", "--temperature", "0", "--out", str(out))
    assert result.code == 0, result.err
    assert "5 of 15 chosen." in result.out
    assert [row["text"] for row in read_lines(out)] == [*map(tables, range(5))]
    assert [p.name for p in docs.parent.iterdir() if p.name.startswith(".")] == []


def test_by_a_signal_and_by_chance(hearth: Any, docs: Path) -> None:
    out = docs.with_name("chosen.jsonl")
    top = ("--method", "top", "--signal", "rps_doc_word_count", "--n", "3")
    assert hearth("data", "select", str(docs), *top, "--out", str(out)).code == 0
    longest = [row["text"] for row in read_lines(docs)][7:10]
    assert [row["text"] for row in read_lines(out)] == longest
    found = []
    for seed in ("1", "1", "2"):
        chance = ("--method", "random", "--n", "6", "--seed", seed)
        assert hearth("data", "select", str(docs), *chance, "--out", str(out)).code == 0
        found.append(out.read_bytes())
    assert found[0] == found[1] != found[2]


def test_slices_come_in_proportion(hearth: Any, docs: Path) -> None:
    few = write_lines(docs.with_name("few.jsonl"), [*map(tables, range(50, 53))])
    with few.open("a") as file:
        file.write("{broken\n")
    mixture = docs.with_name("mixture.yaml")
    mixture.write_text(
        f"slices:\n- {{name: all, path: {docs}, weight: 0.5}}\n"
        f"- {{name: few, path: {few}, weight: 0.5, epochs: 2}}\n"
    )
    out = docs.with_name("mixed.jsonl")
    value = hearth("--json", "data", "mix", str(mixture), "--out", str(out)).json
    given = {part["name"]: part["given"] for part in value["slices"]}
    assert given["few"] == 2 * sum(len(tables(i)) for i in range(50, 53))
    assert abs(given["all"] - given["few"]) < 1000
    assert value["documents"] == len(read_lines(out))
    assert value["quarantine"]["counts"] == {"not JSON": 1}
    folder = docs.with_name("folder")
    said = hearth("data", "mix", str(mixture), "--out", str(folder)).out
    assert f"documents in {folder}" in said
    assert "2.00 times" in said


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["select", "{docs}", "--n", "2"], 2, "give one, or another method"),
        (["select", "{docs}", "--n", "2", "--target", "none"], 3, "none"),
        (["select", "{docs}", "--n", "2", "--method", "top"], 2, "signal"),
        (["select", "{docs}", "--n", "2", "--method", "top", "--signal", "x"], 2, "'x'"),
        (["select", "{docs}", "--n", "2", "--method", "random", "--per", "x"], 2, "per"),
        (["select", "{docs}", "--n", "2", "--method", "random", "--min-words", "999"], 2, "widen"),
        (["mix", "none.yaml"], 3, "no mixture"),
        (["mix", "{here}/list.yaml"], 2, "fields with values"),
        (["mix", "{here}/broken.yaml"], 2, "is not YAML"),
        (["mix", "{here}/empty.yaml"], 2, "at slices: give at least one"),
        (["mix", "{here}/typo.yaml"], 2, "slices.0.wait: there is no such field"),
        (["mix", "{here}/gone.yaml"], 3, "gone.jsonl"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(
    arguments: list[str], code: int, words: str, hearth: Any, docs: Path
) -> None:
    here, out = docs.parent, docs.with_name("out.jsonl")
    (here / "list.yaml").write_text("- a\n")
    (here / "broken.yaml").write_text("{a: [1")
    (here / "empty.yaml").write_text("slices: []\n")
    (here / "typo.yaml").write_text(f"slices: [{{name: a, path: {docs}, wait: 1}}]\n")
    (here / "gone.yaml").write_text("slices: [{name: a, path: gone.jsonl}]\n")
    filled = [a.format(docs=docs, here=here) for a in arguments]
    result = hearth("--quiet", "data", *filled, "--out", str(out))
    assert result.code == code, result.err
    assert words in result.err
    assert "bug" not in result.err
    assert result.err.count("\n") == 1, "it is one sentence"
    assert not out.exists()
