"""`hearth data read` and `corpus`: what is there, and a word on what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.data.conftest import story, write_lines


def test_the_first_documents_and_how_many_there_are(hearth: Any, folder: Path) -> None:
    value = hearth("--json", "data", "read", str(folder), "--limit", "2").json
    assert [row["id"] for row in value["first"]] == ["0.txt", "1.txt"]
    assert value["documents"] == 14
    assert value["quarantine"]["counts"] == {"binary": 1}
    text = hearth("data", "read", str(folder)).out
    assert "14 documents.\n1 record set aside:" in text
    assert "binary.txt" in text


def test_more_is_asked_for_than_there_is(hearth: Any, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "one.jsonl", [story(0)])
    assert hearth("data", "read", str(path), "--limit", "9").out.endswith("1 document.\n")
    assert hearth("--json", "data", "read", str(path), "--limit", "0").json["first"] == []


def test_broken_lines_of_json_are_set_aside(hearth: Any, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps({"text": story(0)}) + "\n{broken\n" + json.dumps({"no": 1}) + "\n")
    value = hearth("--json", "data", "read", str(path)).json
    assert value["documents"] == 1
    assert value["quarantine"]["counts"] == {"no text": 1, "not JSON": 1}


def test_a_format_can_be_named(hearth: Any, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "records.dat", [story(0)])
    assert hearth("data", "read", str(path)).code == 3
    value = hearth("--json", "data", "read", str(path), "--format", "jsonl").json
    assert value["documents"] == 1


@pytest.mark.parametrize(
    ("location", "code", "words"),
    [
        ("nowhere", 3, "check the path"),
        ("{empty}", 3, "holds no files"),
        ("{empty}/../table.csv", 3, "name the format"),
        ("python:no_such_package", 3, "no-such-package"),
        ("nosuchscheme://x", 2, "nosuchscheme"),
        ("gs://bucket/x", 1, "gcsfs"),
    ],
)
def test_where_nothing_can_be_read(
    location: str, code: int, words: str, hearth: Any, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "table.csv").write_text("a,b\n")
    result = hearth("data", "read", location.format(empty=tmp_path / "empty"))
    assert result.code == code
    assert words in result.err
    assert "bug" not in result.err


def test_the_catalogue_is_listed(hearth: Any) -> None:
    assert {"books", "code", "mail"} <= hearth("--json", "data", "corpus").json.keys()
    unknown = hearth("data", "corpus", "nothing")
    assert unknown.code == 3
    assert "use one of" in unknown.err
