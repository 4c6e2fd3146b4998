"""Signals computed before: joined by id, whatever their form and order."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openhearth.data import filter_corpus, read
from openhearth.data.executors import Threads
from openhearth.data.forms import open_output
from openhearth.data.overlay import Joined, read_overlay
from openhearth.data.publish import compute_signals
from openhearth.data.schema import SCHEMA
from openhearth.data.signals import PUBLISHED, SignalRecipe
from openhearth.errors import NotFound, UsageError

TEXTS = ["Some words are here.\nAnd a line.", "few", "", "Many words " * 40]
NAMES = ["rps_doc_word_count", "rps_lines_num_words"]
COLUMNS = ["id", "line_ends", *NAMES]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    lines = [json.dumps({"id": f"d{i}", "text": text}) for i, text in enumerate(TEXTS)]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(("name", "form"), [("s.parquet", None), ("s.jsonl.gz", "rpv2")])
def test_a_filter_says_the_same_of_signals_that_were_published(
    documents: Path, tmp_path: Path, name: str, form: str | None
) -> None:
    corpus, signals = read(str(documents)), tmp_path / name
    compute_signals(corpus, PUBLISHED, SignalRecipe(), signals, form, Threads(1))
    found = []
    for place, given in (("a.jsonl", None), ("b.jsonl", str(signals))):
        out = tmp_path / place
        rows, _ = filter_corpus(
            corpus,
            ["gopher-rpv2"],
            [],
            open_output(out),
            SignalRecipe(),
            Threads(1),
            signals=given,
        )
        found.append((rows, out.read_bytes()))
    assert found[0] == found[1]


def test_rows_are_joined_by_id(documents: Path, tmp_path: Path) -> None:
    compute_signals(read(str(documents)), NAMES, SignalRecipe(), tmp_path / "s.parquet")
    table = read_overlay(str(tmp_path / "s.parquet"), COLUMNS)
    rows = [{"id": f"d{i}", "text": TEXTS[i]} for i in (3, 0)]
    joined = Joined(table)(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
    assert joined.column("id").to_pylist() == ["d3", "d0"]
    assert joined.column("rps_doc_word_count").to_pylist() == [80, 7]
    with pytest.raises(UsageError, match="no signals of other"):
        Joined(table)(pa.RecordBatch.from_pylist([{"id": "other", "text": "x"}], schema=SCHEMA))


def test_what_is_missing_is_named(documents: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    pq.write_table(pa.table({"id": ["d0"], "line_ends": [[1]]}), path)
    with pytest.raises(UsageError, match="has no rps_doc_word_count"):
        read_overlay(str(path), COLUMNS)
    with pytest.raises(UsageError, match="no signals of RedPajama-V2"):
        read_overlay(str(documents), COLUMNS)
    with pytest.raises(NotFound):
        read_overlay("nothing-of-this-name", COLUMNS)
