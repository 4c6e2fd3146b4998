"""Fine-tuning files: every format, and every way to be wrong, with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openhearth.data.tokens.formats import read_rows
from openhearth.errors import NotFound, UsageError

ASKED = [{"role": "user", "content": "2 + 2?"}]
SAID = [{"role": "assistant", "content": "4"}]
GOOD: dict[str, Any] = {
    "messages": {"messages": [*ASKED, *SAID]},
    "prompt": {"prompt": "2 + 2 =", "completion": " 4"},
    "text": {"text": "Two and two are four."},
    "preference": {
        "input": {"messages": ASKED},
        "preferred_output": SAID,
        "non_preferred_output": [{"role": "assistant", "content": "5"}],
    },
    "chosen": {"prompt": "2 + 2 =", "chosen": "4", "rejected": "5"},
    "pairs": {"anchor": "sum", "positive": "addition", "negative": "colour"},
}


def write(path: Path, *rows: Any) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("name", GOOD)
def test_every_format_is_known_by_its_fields(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "good.jsonl", GOOD[name], "", GOOD[name] | {"id": 7})
    assert [(line, form) for line, form, _ in read_rows(path)] == [(1, name), (3, name)]


def test_a_file_has_one_format(tmp_path: Path) -> None:
    path = write(tmp_path / "mixed.jsonl", GOOD["text"], GOOD["text"], GOOD["prompt"])
    with pytest.raises(UsageError, match=r"Line 3 of mixed\.jsonl .*`prompt`, but line 1 .*`text`"):
        list(read_rows(path))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "is not JSON"),
        ("[1]", "is a list, no object"),
        ({"question": "?"}, "has the fields question"),
        ({}, "has the fields of nothing"),
        ({"text": 3}, "has a int as `text`"),
        ({"messages": []}, "has no list of messages"),
        ({"messages": ASKED}, "has no message of the assistant"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "a message without a role"),
        ({"messages": [{"role": "assistant"}]}, "a message without content"),
        ({"messages": [{"role": "assistant", "content": "x", "weight": 2}]}, "a weight of 2"),
        ({"messages": [*ASKED, {"role": "assistant", "content": 7}]}, "has a int as content"),
        ({"messages": [{"role": "user", "content": [{"type": "file"}]}]}, "of the type file"),
        (GOOD["preference"] | {"input": []}, "an `input` without `messages`"),
        (GOOD["preference"] | {"preferred_output": "4"}, "has no list of messages"),
        (GOOD["chosen"] | {"chosen": [{"role": "user"}]}, "a message without content"),
        (GOOD["pairs"] | {"negative": None}, "has a NoneType as `negative`"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, row: Any, said: str) -> None:
    path = write(tmp_path / "bad.jsonl", "", row)
    with pytest.raises(UsageError, match=r"^Line 2 of bad\.jsonl ") as error:
        list(read_rows(path))
    assert said in str(error.value)


def test_a_call_of_a_tool_needs_no_content(tmp_path: Path) -> None:
    call = {"function": {"name": "add", "arguments": "{}"}}
    said = {"role": "assistant", "content": None, "tool_calls": [call]}
    row = {"messages": [*ASKED, said], "tools": [{"type": "function"}]}
    assert len(list(read_rows(write(tmp_path / "tools.jsonl", row)))) == 1


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no\.jsonl"):
        list(read_rows(tmp_path / "no.jsonl"))
