"""`hearth data signals`, `what-if`, `counts` and `train-scorer`: numbers about texts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.cli.data.conftest import story, write_lines


def test_those_of_the_first_document_are_shown(hearth: Any, folder: Path) -> None:
    value = hearth("--json", "data", "signals", str(folder / "short.txt")).json
    assert value["rps_doc_word_count"] == 2
    assert "rps_doc_word_count" in hearth("data", "signals", str(folder / "short.txt")).out
    assert hearth("data", "signals", str(folder / "none.txt")).code == 3


def test_columns_beside_the_documents(hearth: Any, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "signals.parquet"
    names = "rps_doc_word_count,fineweb"
    result = hearth("data", "signals", str(folder), "--signals", names, "--out", str(out))
    assert result.code == 0, result.err
    assert f"14 records in {out}" in result.out
    assert "1 record set aside" in result.out
    table = pq.read_table(out)
    assert {"id", "rps_doc_word_count", "fineweb_short_lines"} <= set(table.column_names)
    assert "rps_doc_unigram_entropy" not in table.column_names


def test_the_form_of_redpajama(hearth: Any, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "signals.jsonl.gz"
    assert hearth("data", "signals", str(folder), "--form", "rpv2", "--out", str(out)).code == 0
    records = [json.loads(line) for line in gzip.decompress(out.read_bytes()).splitlines()]
    assert len(records) == 14
    length = len((folder / "0.txt").read_text())
    assert records[0]["quality_signals"]["rps_doc_lorem_ipsum"] == [[0, length, 0.0]]
    parts = tmp_path / "parts"
    assert hearth("data", "signals", str(folder), "--form", "rpv2", "--out", str(parts)).code == 0
    assert [file.read_bytes() for file in parts.iterdir()] == [out.read_bytes()]


def test_what_if_says_what_filter_would_do(hearth: Any, folder: Path, tmp_path: Path) -> None:
    signals = str(tmp_path / "signals.parquet")
    rules = ("--rules", "gopher-quality")
    assert hearth("data", "signals", str(folder), *rules, "--out", signals).code == 0
    change = ("--set", "words.max=120")
    found = hearth("--json", "data", "what-if", signals, *rules, *change).json
    kept = {}
    for when, text in (("before", ""), ("after", ", max = 120")):
        mine = tmp_path / "mine.toml"
        mine.write_text(
            f'words = {{ signal = "gopher_word_count", min = 50{text} }}\n'
            'stop = { signal = "gopher_stop_words", min = 2 }\n'
        )
        command = ("data", "filter", str(folder), "--rules", str(mine))
        written = hearth("--json", *command, "--out", str(tmp_path / f"{when}.jsonl"))
        kept[when] = written.json["documents"]
    assert found["documents"] == 14
    assert found["kept"] == kept
    assert found["lost"] == kept["before"] - kept["after"] > 0
    assert f"{found['lost']} lost" in hearth("data", "what-if", signals, *rules, *change).out


def test_a_scorer_of_ones_own_gives_a_signal(hearth: Any, tmp_path: Path) -> None:
    good = write_lines(tmp_path / "good.jsonl", map(story, range(30)))
    bad = write_lines(tmp_path / "bad.jsonl", (f"buy cheap lamps {i} " * 9 for i in range(30)))
    model = tmp_path / "mine.model"
    train = ("data", "train-scorer", "--positive", str(good), "--negative", str(bad))
    measures = hearth("--json", *train, "--out", str(model)).json
    assert measures["auc"] == 1
    mine = tmp_path / "mine.toml"
    mine.write_text('mine = { signal = "score_mine", min = 0.5 }\n')
    both = write_lines(tmp_path / "both.jsonl", [story(99), "buy cheap lamps 99 " * 9])
    out = tmp_path / "kept.jsonl"
    command = ("data", "filter", str(both), "--rules", str(mine), "--out", str(out))
    assert "score_mine" in hearth(*command).err
    assert hearth(*command, "--scorer", f"score_mine={model}").code == 0
    assert [json.loads(line)["text"] for line in out.read_text().splitlines()] == [story(99)]


def test_counts_give_importance(hearth: Any, folder: Path, tmp_path: Path) -> None:
    tales = write_lines(tmp_path / "tales.jsonl", map(story, range(20)))
    for name, docs in (("source", folder), ("books", tales)):
        made = hearth("data", "counts", str(docs), "--out", str(tmp_path / f"{name}.npz"))
        assert made.code == 0, made.err
    importance = [f"{name}={tmp_path / name}.npz" for name in ("source", "books")]
    options = [word for path in importance for word in ("--importance", path)]
    value = hearth("--json", "data", "signals", str(tales), *options).json
    assert isinstance(value["rps_doc_books_importance"], float)


def test_signals_that_rules_need_are_named(hearth: Any, folder: Path, tmp_path: Path) -> None:
    for name, form in (("s.parquet", []), ("s.jsonl", ["--form", "rpv2"])):
        out = str(tmp_path / name)
        assert hearth("data", "signals", str(folder), *form, "--out", out).code == 0
        result = hearth("data", "what-if", out, "--rules", "c4", "--set", "terminal=off")
        assert result.code == 2
        assert "and 5 more" in result.err
        assert "hearth data signals --rules" in result.err
    (tmp_path / "bad.parquet").write_text("no Parquet")
    result = hearth("data", "what-if", str(tmp_path / "bad.parquet"), "--set", "words=off")
    assert result.code == 2
    assert "cannot be read as Parquet" in result.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["signals", "{folder}", "--signals", "nothing"], 2, "or a family"),
        (["signals", "{folder}", "--signals", "nothing", "--out", "{out}"], 2, "or a family"),
        (["signals", "{folder}", "--form", "rpv2", "--out", "{out}"], 2, ".jsonl.gz"),
        (["signals", "{folder}", "--form", "none", "--out", "s.jsonl"], 2, "rpv2 or dolma"),
        (["signals", "{folder}", "--scorer", "score_x", "--out", "{out}"], 2, "NAME=PATH"),
        (["signals", "{folder}", "--scorer", "score_x=none", "--out", "{out}"], 3, "no model"),
        (["signals", "{folder}", "--domains", "none", "--out", "{out}"], 3, "map of domains"),
        (["what-if", "{folder}", "--set", "words.max=100"], 3, "no files of signals"),
        (["what-if", "nothing", "--set", "words.max=100"], 3, "in the store"),
        (["what-if", "{folder}/0.txt", "--set", "words"], 2, "RULE.min="),
        (["what-if", "{folder}/0.txt", "--set", "words.max=x"], 2, "a number or none"),
        (["train-scorer", "--positive", "{folder}", "--out", "m"], 2, "negative"),
        (["train-scorer", "--positive", "{folder}", "--negative", "none", "--out", "m"], 3, "none"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(
    arguments: list[str], code: int, words: str, hearth: Any, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    result = hearth("data", *(a.format(folder=folder, out=out) for a in arguments))
    assert result.code == code, result.err
    assert words in result.err
    assert "bug" not in result.err
    assert not out.exists()
