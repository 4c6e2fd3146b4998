"""Filtering: what is kept, what the funnel says of the rest, and signals computed before."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from openhearth.data import filter_corpus, load_rules, read
from openhearth.data.executors import Threads
from openhearth.data.filter import Filter, Published, needed
from openhearth.data.forms import Parquet, open_output
from openhearth.data.funnel import funnel, never_fired
from openhearth.data.pipeline import run
from openhearth.data.publish import compute_signals
from openhearth.data.signals import SignalRecipe
from openhearth.data.write import write
from openhearth.errors import HearthError, UsageError

RULES = """
line-words = { signal = "rps_lines_num_words", on = "line", min = 2 }
words = { signal = "rps_doc_word_count", min = 5, max = 50 }
lorem = { signal = "rps_doc_lorem_ipsum", max = 0 }
"""
TEXTS = [
    "A first line with many words.\nshort\nAnd a last line, also long.",
    "too few words",
    "one\ntwo\nthree\nfour\nfive\nsix",
    "Nothing is wrong with this text at all.",
    "word " * 60,
]


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(RULES)
    return str(path)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    path = tmp_path / "documents.jsonl"
    path.write_text(
        "".join(json.dumps({"id": str(i), "text": t}) + "\n" for i, t in enumerate(TEXTS))
    )
    return path


def test_what_is_kept_and_what_is_not(documents: Path, rules: str, tmp_path: Path) -> None:
    out = tmp_path / "kept.parquet"
    rows, report = filter_corpus(
        read(str(documents)), [rules], [], open_output(out), SignalRecipe()
    )
    kept = {row["id"]: row["text"] for row in pq.read_table(out).to_pylist()}
    assert kept == {
        "0": "A first line with many words.\nAnd a last line, also long.",
        "3": TEXTS[3],
    }
    assert report.tally.counts["documents"] == 2
    by_name = {row["name"].rpartition(".")[2]: row for row in rows}
    assert by_name["line-words"]["removed"] == 1  # nothing is left of the third
    assert by_name["line-words"]["lines"] == 7
    assert by_name["words"]["removed"] == 2
    assert [e["value"] for e in by_name["words"]["examples"]] == [3.0, 60.0]
    assert [row["documents"] for row in rows] == [5, 4, 2]
    assert [name.rpartition(".")[2] for name in never_fired(rows)] == ["lorem"]


def test_published_signals_give_the_same(documents: Path, rules: str, tmp_path: Path) -> None:
    corpus = read(str(documents))
    out = tmp_path / "kept.parquet"
    computed, _ = filter_corpus(corpus, [rules], [], open_output(out), SignalRecipe())
    toggles = tuple(load_rules((rules,)))
    signals = tmp_path / "signals.parquet"
    compute_signals(corpus, needed(toggles), SignalRecipe(), signals)
    step = Filter(toggles, Published((signals,)))
    report = run(corpus, step, Parquet(), tmp_path / "work", Threads(1))
    assert pq.read_table(report.files[0]).equals(pq.read_table(out))
    assert funnel(report.tally, [r.name for r in toggles], len(TEXTS)) == computed


def test_parts_of_a_run_with_other_settings_are_not_used(documents: Path, tmp_path: Path) -> None:
    corpus, out = read(str(documents)), tmp_path / "out.jsonl"
    output = open_output(out)

    def fail(batch: object, tally: object) -> None:
        raise KeyError("stopped")

    with pytest.raises(KeyError):
        write(corpus, fail, output, {"rule": 1}, Threads(1))
    assert output.work.is_dir()
    assert not out.exists()
    (output.work / "000000.jsonl").write_text("old\n")
    (output.work / "000000.done").write_text('{"tally": {}, "quarantine": {}}')
    write(corpus, lambda batch, tally: batch, output, {"rule": 2}, Threads(1))
    assert [json.loads(line)["text"] for line in out.read_text().splitlines()] == TEXTS
    assert not output.work.exists()


def test_a_folder_that_holds_something_is_left_alone(documents: Path, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        write(read(str(documents)), lambda batch, tally: batch, open_output(out), {}, Threads(1))
    assert (out / "mine.txt").read_text() == "mine"


def test_a_folder_gets_the_parts(documents: Path, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    write(read(str(documents)), lambda batch, tally: batch, open_output(out), {}, Threads(1))
    assert [path.name for path in out.iterdir()] == ["000000.parquet"]


def test_a_limit_on_broken_records_ends_the_run(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "good"}\n' + "{bad\n" * 3)
    out = tmp_path / "out.jsonl"
    with pytest.raises(HearthError, match=r"limit of 2 .*x\.jsonl at byte 27"):
        write(read(str(path)), lambda b, t: b, open_output(out), {}, Threads(1), limit=2)
    assert not out.exists()
