"""`hearth data dedup` and `minhash`: what stands twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.data.conftest import read_lines, story, write_lines


def nearly(seed: int) -> str:
    return f"{story(seed)} The end."


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Ten stories, one of them twice, one nearly twice; and a date for each."""
    texts = [*map(story, range(10)), story(3), nearly(5)]
    rows = [
        {"id": str(i), "text": text, "created": f"2026-01-{i + 1:02}"}
        for i, text in enumerate(texts)
    ]
    return write_lines(tmp_path / "docs.jsonl", rows)


def ids(path: Path) -> list[str]:
    return [row["id"] for row in read_lines(path)]


def without(*gone: int) -> list[str]:
    return [str(i) for i in range(12) if i not in gone]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--method", "exact"], without(10)),
        ([], without(10, 11)),
        (["--keep", "newest"], without(3, 5)),
        (["--method", "exact", "--keep", "newest"], without(3)),
    ],
)
def test_documents_go(options: list[str], left: list[str], hearth: Any, docs: Path) -> None:
    out = docs.with_name("left.jsonl")
    result = hearth("data", "dedup", str(docs), *options, "--out", str(out))
    assert result.code == 0, result.err
    assert ids(out) == left
    assert f"{len(left)} documents in {out}" in result.out


def test_parts_are_cut_out(hearth: Any, tmp_path: Path) -> None:
    notice = "All of these stories may be copied freely by everyone who reads them."
    texts = [f"{story(i)}\n\n{notice}\n" for i in range(3)]
    docs = write_lines(tmp_path / "docs.jsonl", texts)
    out = tmp_path / "left.jsonl"
    result = hearth("data", "dedup", str(docs), "--method", "paragraph", "--out", str(out))
    assert "2 lines" in result.out
    assert [notice in row["text"] for row in read_lines(out)] == [True, False, False]


def test_pairs_are_told_with_their_similarity(hearth: Any, docs: Path) -> None:
    pairs, out = docs.with_name("pairs.parquet"), docs.with_name("left.jsonl")
    assert hearth("data", "dedup", str(docs), "--pairs", str(pairs), "--out", str(out)).code == 0
    found = {row["id"]: row for row in pq.read_table(pairs).to_pylist()}
    assert {key: row["first_id"] for key, row in found.items()} == {"10": "3", "11": "5"}
    assert found["10"]["jaccard"] == 1 > found["11"]["jaccard"] > 0.8


def test_what_was_seen_before_is_remembered(hearth: Any, tmp_path: Path) -> None:
    for i, seeds in enumerate((range(5), range(3, 8))):
        docs = write_lines(tmp_path / f"{i}.jsonl", map(story, seeds))
        command = (
            "data",
            "dedup",
            str(docs),
            "--method",
            "exact",
            "--index",
            str(tmp_path / "seen"),
        )
        assert hearth(*command, "--out", str(tmp_path / f"left-{i}.jsonl")).code == 0
    assert [row["text"] for row in read_lines(tmp_path / "left-1.jsonl")] == [
        *map(story, (5, 6, 7))
    ]


def test_a_signal_decides_which_copy_stays(hearth: Any, docs: Path) -> None:
    signals, out = docs.with_name("signals.parquet"), docs.with_name("left.jsonl")
    assert hearth("data", "signals", str(docs), "--out", str(signals)).code == 0
    keep = ("--keep", "most:rps_doc_word_count", "--signals")
    command = ("data", "dedup", str(docs), "--out", str(out), *keep)
    assert hearth(*command, str(signals)).code == 0
    assert ids(out) == without(5, 10)
    others = write_lines(docs.with_name("others.jsonl"), map(story, range(20, 32)))
    assert hearth("data", "signals", str(others), "--out", str(signals)).code == 0
    wrong = hearth(*command, str(signals))
    assert wrong.code == 2
    assert "of other documents" in wrong.err


def test_published_duplicates_go(hearth: Any, docs: Path) -> None:
    listed = pa.table({"shard_id": ["s"], "doc_id": ["4"], "digest": ["sha1:A"]})
    pq.write_table(listed, docs.with_name("duplicates.parquet"))
    out, known = docs.with_name("left.jsonl"), str(docs.with_name("duplicates.parquet"))
    result = hearth("data", "dedup", str(docs), "--known", known, "--out", str(out))
    assert result.code == 0, result.err
    assert ids(out) == without(4)


def test_signatures(hearth: Any, docs: Path) -> None:
    out = docs.with_name("signatures.parquet")
    assert hearth("data", "minhash", str(docs), "--out", str(out)).code == 0
    table = pq.read_table(out)
    bands = table.column("signature_sim0.7").to_pylist()
    assert bands[3] == bands[10] != bands[4]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["dedup", "{docs}", "--preset", "none", "--out", "{out}"], 2, "use one of"),
        (["dedup", "{docs}", "--keep", "none", "--out", "{out}"], 2, "use first"),
        (["dedup", "{docs}", "--keep", "most:x", "--out", "{out}"], 2, "needs signals"),
        (["dedup", "{docs}", "--keep", "most:x", "--signals", "none", "--out", "{out}"], 3, "none"),
        (["dedup", "{docs}", "--normalised", "--out", "{out}"], 2, "Only exact"),
        (["dedup", "{docs}", "--method", "exact", "--pairs", "p", "--out", "{out}"], 2, "minhash"),
        (["dedup", "{docs}", "--pairs", "p.csv", "--out", "{out}"], 2, "p.csv"),
        (["dedup", "{docs}", "--pairs", "p.jsonl", "--out", "{out}"], 2, "Parquet"),
        (["dedup", "{docs}", "--method", "line", "--keep", "newest", "--out", "{out}"], 2, "first"),
        (["dedup", "{docs}", "--out", "{docs}"], 2, "write elsewhere"),
        (["dedup", "{docs}", "--words", "0", "--out", "{out}"], 2, "--words"),
        (["dedup", "{docs}", "--known", "none", "--out", "{out}"], 3, "none"),
        (["dedup", "{docs}", "--known", "d", "--keep", "newest", "--out", "{out}"], 2, "--keep"),
        (["minhash", "{docs}", "--out", "{out}"], 2, "Parquet"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(
    arguments: list[str], code: int, words: str, hearth: Any, docs: Path
) -> None:
    out = docs.with_name("left.jsonl")
    before = docs.read_bytes()
    result = hearth("data", *(a.format(docs=docs, out=out) for a in arguments))
    assert result.code == code, result.err
    assert words in result.err
    assert "bug" not in result.err
    assert not out.exists()
    assert docs.read_bytes() == before
