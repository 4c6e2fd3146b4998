"""`hearth data mask` and `decontaminate`: what must not be in a document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.data.conftest import read_lines, story, write_lines

QUESTION = "Which of the seven lamps in the old tower was lit first after the long storm of May?"


def test_addresses_are_masked_and_lists_of_them_go(hearth: Any, tmp_path: Path) -> None:
    mails = [f"Write to keeper{i}@example.com." for i in range(9)]
    texts = [story(0), f"{story(1)} {mails[0]} Or call 555-123-4567.", " ".join(mails)]
    docs, out = write_lines(tmp_path / "docs.jsonl", texts), tmp_path / "masked.jsonl"
    result = hearth("data", "mask", str(docs), "--out", str(out))
    assert result.code == 0, result.err
    assert "Masked: 1 x EMAIL_ADDRESS, 1 x PHONE_NUMBER." in result.out
    left = [row["text"] for row in read_lines(out)]
    assert left[0] == texts[0]
    assert "Write to |||EMAIL_ADDRESS|||." in left[1]
    assert len(left) == 2
    value = hearth("--json", "data", "mask", str(docs), "--most", "9", "--out", str(out)).json
    assert value["documents"] == 3
    assert value["changed"]["masked:EMAIL_ADDRESS"] == 10


def test_places_of_what_was_masked(hearth: Any, tmp_path: Path) -> None:
    docs = write_lines(tmp_path / "docs.jsonl", ["Write to a@example.com."])
    out = tmp_path / "masked.jsonl"
    assert hearth("data", "mask", str(docs), "--spans", "--out", str(out)).code == 0
    assert read_lines(out)[0]["metadata"]["pii"] == [[9, 22, "EMAIL_ADDRESS"]]


def test_what_evaluations_hold_goes(hearth: Any, tmp_path: Path) -> None:
    long = f"{story(1)} {QUESTION} {story(2)}"
    docs = write_lines(tmp_path / "docs.jsonl", [story(0), long])
    quiz = write_lines(tmp_path / "quiz.jsonl", [QUESTION])
    more = tmp_path / "more"
    more.mkdir()
    write_lines(more / "quiz.jsonl", ["What did the captain write in his book on that day? " * 2])
    out = tmp_path / "left.jsonl"
    command = ("data", "decontaminate", str(docs), "--against", str(quiz))
    result = hearth("--json", *command, "--against", str(more / "quiz.jsonl"), "--out", str(out))
    steps = {step["name"]: step["removed"] for step in result.json["funnel"]}
    assert steps == {str(quiz): 1, str(more / "quiz.jsonl"): 0}, "of one name, yet apart"
    assert [row["text"] for row in read_lines(out)] == [story(0)]
    cut = hearth(*command, "--cut", "--out", str(out))
    assert f"1 document cut for {quiz}." in cut.out
    pieces = [row["text"] for row in read_lines(out)]
    assert len(pieces) == 3
    assert not any("seven lamps" in piece for piece in pieces)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["mask", "{docs}", "--most", "-1"], 2, "--most"),
        (["decontaminate", "{docs}"], 2, "--against"),
        (["decontaminate", "{docs}", "--against", "none"], 3, "none"),
        (["decontaminate", "{docs}", "--against", "{docs}", "--words", "0"], 2, "--words"),
        (["decontaminate", "{docs}", "--against", "{short}"], 2, "compare fewer words"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(
    arguments: list[str], code: int, words: str, hearth: Any, tmp_path: Path
) -> None:
    docs = write_lines(tmp_path / "docs.jsonl", [story(0)])
    short = write_lines(tmp_path / "short.jsonl", ["Only three words."])
    filled = [a.format(docs=docs, short=short) for a in arguments]
    result = hearth("data", *filled, "--out", str(tmp_path / "out.jsonl"))
    assert result.code == code, result.err
    assert words in result.err
    assert "bug" not in result.err
