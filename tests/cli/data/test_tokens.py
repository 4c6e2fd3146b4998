"""`hearth data tokenizer`, `tokens`, `export` and `import`: what training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.data.conftest import story, write_lines


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    path = write_lines(tmp_path / "docs.jsonl", map(story, range(6)))
    path.write_text(path.read_text() + "{broken\n")
    return path


@pytest.fixture
def words(hearth: Any, docs: Path) -> str:
    """The name of a tokenizer in the store."""
    made = hearth("data", "tokenizer", str(docs), "--vocabulary", "300", "--name", "words")
    assert made.code == 0, made.err
    assert "300 tokens" in made.out
    assert "1 record set aside" in made.out
    return "words"


def test_token_shards_of_a_location(hearth: Any, docs: Path, words: str) -> None:
    command = ("data", "tokens", str(docs), "--tokenizer", words, "--out", "mine")
    value = hearth("--json", *command).json
    assert value["splits"]["documents"]["documents"] == 6
    assert value["quarantine"]["counts"] == {"not JSON": 1}
    assert hearth("--json", "show", "mine").json["kind"] == "dataset"
    assert hearth("--json", *command).json == value, "it is found, not made anew"
    packed = hearth("--json", *command[:-1], "packed", "--packed", "64").json
    assert packed["digest"] != value["digest"]


def test_to_megatron_and_back(hearth: Any, docs: Path, words: str, tmp_path: Path) -> None:
    assert hearth("data", "tokens", str(docs), "--tokenizer", words, "--out", "mine").code == 0
    said = hearth("data", "export", "mine", str(tmp_path / "there")).out
    assert "there.bin" in said
    assert (tmp_path / "there.idx").stat().st_size > 0
    back = hearth("data", "import", str(tmp_path / "there"), "--name", "back")
    assert "6 documents" in back.out
    assert hearth("data", "export", "back", str(tmp_path / "again")).code == 0
    for suffix in (".bin", ".idx"):
        first, second = (tmp_path / f"{name}{suffix}" for name in ("there", "again"))
        assert first.read_bytes() == second.read_bytes()


def test_both_splits_of_a_dataset(hearth: Any, docs: Path, words: str, tmp_path: Path) -> None:
    assert hearth("data", "filter", str(docs), "--rules", "c4", "--name", "kept").code == 0
    value = hearth("--json", "data", "tokens", "kept", "--tokenizer", words, "--out", "t").json
    assert value["splits"].keys() == {"train", "heldout"}
    which = hearth("data", "export", "t", str(tmp_path / "t"))
    assert which.code == 2
    assert "one of train, heldout" in which.err
    assert hearth("data", "export", "t", str(tmp_path / "t"), "--split", "train").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["tokenizer", "{docs}", "--vocabulary", "5", "--name", "t"], 2, "too small"),
        (["tokenizer", "{docs}", "--name", "No Name"], 2, "lower-case"),
        (["tokenizer", "none", "--name", "t"], 3, "none"),
        (["tokens", "{docs}", "--tokenizer", "none", "--out", "t"], 3, "none"),
        (["tokens", "{docs}", "--tokenizer", "{docs}", "--out", "t"], 1, "cannot be read"),
        (["tokens", "{docs}", "--tokenizer", "none", "--out", "No Name"], 2, "lower-case"),
        (["export", "none", "x"], 3, "none"),
        (["import", "none", "--name", "t"], 3, "none.bin"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(
    arguments: list[str], code: int, words: str, hearth: Any, docs: Path
) -> None:
    result = hearth("data", *(a.format(docs=docs) for a in arguments))
    assert result.code == code, result.err
    assert words in result.err
    assert "bug" not in result.err
    assert hearth("--json", "ls", "--kind", "dataset").json == []


def test_tokens_hold_no_documents(hearth: Any, docs: Path, words: str) -> None:
    assert hearth("data", "tokens", str(docs), "--tokenizer", words, "--out", "mine").code == 0
    for command in (("forget", "mine", "--id", "x"), ("card", "mine"), ("card", words)):
        result = hearth("data", *command)
        assert result.code == 2
        assert "bug" not in result.err
