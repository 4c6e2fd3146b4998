"""`hearth data`: text in, a dataset out, and a word on what was wrong."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

NAMES = ["The keeper", "A sailor", "The old captain", "Her brother", "The teacher", "A gull"]
DOES = ["lit the lamp", "watched the grey water", "wrote in the book", "mended a net", "sang"]
WHEN = ["before the storm came", "in the evening", "when nobody was looking", "with great care"]


def story(seed: int, sentences: int = 12) -> str:
    """A paragraph of plain sentences that no other seed has."""
    draw = random.Random(seed)
    parts = [map(draw.choice, (NAMES, DOES, WHEN)) for _ in range(sentences)]
    return " ".join(f"{' '.join(part)}, and that was day {draw.random():.9f}." for part in parts)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    for i in range(12):
        (folder / f"{i}.txt").write_text(story(i))
    (folder / "copy.txt").write_text(story(3))
    (folder / "short.txt").write_text("Too short.")
    (folder / "binary.txt").write_bytes(b"\x00\x01\x02" * 50)
    return folder


def test_read_shows_the_first_documents_and_counts_the_bad(hearth: Any, folder: Path) -> None:
    value = hearth("--json", "data", "read", str(folder), "--limit", "2").json
    assert len(value["first"]) == 2
    assert value["documents"] == 13  # the short one has nothing to ask and answer
    assert sum(value["quarantine"]["counts"].values()) == 1
    text = hearth("data", "read", str(folder)).out
    assert "13 documents, 1 set aside" in text


def test_signals_of_a_file_in_redpajamas_form(hearth: Any, folder: Path) -> None:
    value = hearth("--json", "data", "signals", str(folder / "short.txt")).json
    assert value["rps_doc_word_count"] == [[0, 10, 2.0]]
    assert "rps_doc_word_count" in hearth("data", "signals", str(folder / "short.txt")).out
    assert hearth("data", "signals", str(folder / "none.txt")).code == 2


def test_filter_makes_a_named_dataset_and_prints_the_funnel(hearth: Any, folder: Path) -> None:
    result = hearth("data", "filter", str(folder), "--name", "stories", "--heldout", "0.3")
    assert result.code == 0, result.err
    assert "exact duplicates" in result.out
    assert "hearth tune --data stories" in result.out
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


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere"], 3, "nowhere"),
        (["{folder}", "--rules", "no-such-rules"], 3, "no-such-rules"),
        (["{folder}", "--off", "no-such-rule"], 2, "no-such-rule"),
        (["{folder}", "--similarity", "2"], 2, "similarity"),
        (["{empty}"], 2, "has no text"),
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


def test_broken_lines_of_json_are_set_aside(hearth: Any, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps({"text": story(0)}) + "\n{broken\n" + json.dumps({"no": 1}) + "\n")
    value = hearth("--json", "data", "read", str(path)).json
    assert value["documents"] == 1
    assert sum(value["quarantine"]["counts"].values()) == 2
