"""`hearth data filter` and `explain`: what rules keep, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.cli.data.conftest import read_lines, story, write_lines


def test_a_named_dataset_and_the_funnel(hearth: Any, folder: Path) -> None:
    result = hearth("data", "filter", str(folder), "--name", "stories", "--heldout", "0.3")
    assert result.code == 0, result.err
    assert "exact duplicates" in result.out
    assert "hearth tune --data stories" in result.out
    assert "1 record set aside" in result.out
    shown = hearth("--json", "show", "stories").json
    again = hearth("--json", "data", "filter", str(folder), "--heldout", "0.3").json
    assert again["digest"] == shown["digest"]
    steps = {step["name"]: step for step in again["funnel"]}
    assert steps["exact duplicates"]["removed"] == 1
    assert again["metrics"]["train"] + again["metrics"]["heldout"] == again["funnel"][-1]["kept"]


def test_a_rule_can_be_switched_off(hearth: Any, folder: Path) -> None:
    funnel = hearth("--json", "data", "filter", str(folder)).json["funnel"]
    first = next(step["name"] for step in funnel if step["removed"])
    without = hearth("--json", "data", "filter", str(folder), "--off", first)
    assert first not in [step["name"] for step in without.json["funnel"]]


@pytest.mark.parametrize("name", ["kept.jsonl", "kept.jsonl.gz", "kept.parquet", "kept"])
def test_what_passes_goes_to_a_file_or_folder(
    name: str, hearth: Any, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / name
    result = hearth("data", "filter", str(folder), "--rules", "gopher-quality", "--out", str(out))
    assert result.code == 0, result.err
    assert f"13 documents in {out}" in result.out
    assert "Too short." in result.out, "the funnel shows what went"
    assert "These removed nothing: " in result.out
    assert hearth("--json", "data", "read", str(out)).json["documents"] == 13
    assert [p for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_the_form_of_another_tool(hearth: Any, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "kept.jsonl"
    command = ("data", "filter", str(folder), "--rules", "gopher-quality", "--form", "datatrove")
    assert hearth(*command, "--out", str(out)).code == 0
    assert all(row.keys() == {"text", "id", "metadata"} for row in read_lines(out))


def test_too_much_that_is_broken_ends_it(hearth: Any, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "kept.parquet"
    command = ("data", "filter", str(folder), "--rules", "c4", "--out", str(out))
    result = hearth(*command, "--quarantine", "0")
    assert result.code == 1
    assert "over the limit of 0" in result.err
    assert not out.exists()
    assert hearth(*command, "--quarantine", "1").code == 0
    assert pq.read_table(out).num_rows > 0


def test_explain_marks_what_decided(hearth: Any, tmp_path: Path) -> None:
    page = f"{story(0)}\n\nHome\n{story(1)}\n"
    docs = write_lines(
        tmp_path / "docs.jsonl", [{"id": "a", "text": "x"}, {"id": "b", "text": page}]
    )
    command = ("data", "explain", str(docs), "--rules", "c4", "--id")
    lines = hearth(*command, "b").out.splitlines()
    assert lines[0] == "b is kept."
    assert [line for line in lines if line.startswith("- ")] == ["- Home   <- c4.terminal"]
    removed = hearth("--json", *command, "a").json
    assert removed["removed_by"] == "c4.terminal"
    unknown = hearth(*command, "c")
    assert unknown.code == 3
    assert "no document c" in unknown.err


def test_the_same_rules_where_none_are_named(hearth: Any, tmp_path: Path) -> None:
    docs = write_lines(tmp_path / "docs.jsonl", [story(i, sentences=30) for i in range(6)])
    with docs.open("a") as file:
        file.write(f'{{"id": "loud", "text": "{story(9, sentences=30).upper()}"}}\n')
    made = hearth("--json", "data", "filter", str(docs), "--name", "stories", "--similarity", "1")
    removed = {s["name"]: s["removed"] for s in made.json["funnel"] if s["name"][:5] == "text."}
    assert removed["text.capitals"] > 0
    explained = hearth("--json", "data", "explain", str(docs), "--id", "loud").json
    assert (explained["id"], explained["removed_by"]) == ("loud#0", "text.capitals")
    signals = str(tmp_path / "signals.parquet")
    text = ("data", "signals", str(docs), "--rules", "text", "--out", signals)
    assert hearth(*text).code == 0
    for location in ("stories", signals):
        found = hearth("--json", "data", "what-if", location, "--set", "capitals=off").json
        assert {name: count["before"] for name, count in found["removed"].items()} == removed
    out = tmp_path / "kept.jsonl"
    kept = hearth("--json", "data", "filter", str(docs), "--signals", signals, "--out", str(out))
    assert kept.json["documents"] == found["kept"]["before"]


def test_the_same_rules_for_packages(hearth: Any) -> None:
    explained = hearth("--json", "data", "explain", "python:click").json
    assert all(d["rule"].startswith("docstrings.") for d in explained["decisions"])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere"], 3, "nowhere"),
        (["{folder}", "--rules", "no-such-rules"], 3, "no-such-rules"),
        (["{folder}", "--off", "no-such-rule"], 2, "no-such-rule"),
        (["{folder}", "--similarity", "2"], 2, "similarity"),
        (["{folder}", "--heldout", "2"], 2, "heldout"),
        (["{folder}", "--name", "Not A Name"], 2, "lower-case"),
        (["{folder}", "--form", "dolma"], 2, "give --out too"),
        (["{folder}", "--out", "{empty}/x.parquet", "--name", "x"], 2, "leave out --out"),
        (["{folder}", "--out", "{empty}/x.csv"], 2, "says no format"),
        (["{folder}", "--out", "{empty}/none/x.parquet"], 2, "make it first"),
        (["{folder}", "--out", "{empty}/x.parquet", "--form", "dolma"], 2, "of JSON lines"),
        (["{folder}", "--out", "{empty}/x.jsonl", "--form", "none"], 2, "use one of"),
        (["{empty}"], 3, "has no text"),
        (["{folder}/short.txt"], 2, "give a larger or another source"),
    ],
)
def test_bad_input_is_a_sentence(
    arguments: list[str], code: int, words: str, hearth: Any, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    filled = [a.format(folder=folder, empty=tmp_path / "empty") for a in arguments]
    result = hearth("data", "filter", *filled)
    assert words in result.err
    assert "bug" not in result.err
    assert result.code == code
    assert hearth("--json", "ls", "--kind", "dataset").json == []
    assert list((tmp_path / "empty").iterdir()) == []
