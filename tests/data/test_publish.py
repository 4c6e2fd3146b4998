"""Published signals: the form and the order that were asked for, whoever computes them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from openhearth.data import read
from openhearth.data.executors import Threads
from openhearth.data.publish import compute_signals
from openhearth.data.signals import FAMILIES, PUBLISHED, SignalRecipe
from openhearth.data.signals.published import RPV2
from openhearth.errors import UsageError


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    texts = ["A text with some words.\nAnd another line.", "", "caf\u00e9"]
    path.write_text("".join(json.dumps({"text": t, "id": t[:1]}) + "\n" for t in texts))
    return path


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_redpajamas_form_has_its_signals_in_its_order_and_then_ours(
    documents: Path, tmp_path: Path
) -> None:
    out = tmp_path / "s.jsonl.gz"
    report = compute_signals(
        read(str(documents)), PUBLISHED, SignalRecipe(), out, "rpv2", Threads(1)
    )
    records = lines(out)
    assert len(records) == report.tally.counts["documents"] == 3
    for record in records:
        names = list(record["quality_signals"])
        assert names[:45] == list(RPV2)
        assert set(names[45:]) == set(FAMILIES["oh"].DOCUMENT)
    assert records[0]["quality_signals"]["rps_doc_word_count"] == [[0, 41, 8]]


def test_dolmas_form_has_an_attribute_for_each_signal(documents: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.jsonl.gz"
    compute_signals(
        read(str(documents)), ["rps_doc_word_count"], SignalRecipe(), out, "dolma", Threads(1)
    )
    assert lines(out)[0] == {
        "id": "A",
        "attributes": {"hearth__hearth__rps_doc_word_count": [[0, 41, 8.0]]},
    }


@pytest.mark.parametrize("name", ["s.parquet", "s.jsonl"])
def test_columns_are_those_that_were_asked_for(documents: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    compute_signals(read(str(documents)), ["oh"], SignalRecipe(), out, None, Threads(1))
    if name == "s.parquet":
        found = pq.read_table(out).to_pylist()
    else:
        found = [json.loads(line) for line in out.read_text().splitlines()]
    assert set(found[0]) == {"id", "length", "line_ends", *FAMILIES["oh"].DOCUMENT}
    assert [row["length"] for row in found] == [41, 0, 4]


@pytest.mark.parametrize(
    ("name", "form", "words"),
    [
        ("s.parquet", "rpv2", "JSON lines"),
        ("s.jsonl", "rpv3", "no form 'rpv3'"),
        ("s.txt", None, "says no format"),
    ],
)
def test_wrong_forms_say_what_is_right(
    documents: Path, tmp_path: Path, name: str, form: str | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        compute_signals(read(str(documents)), ["oh"], SignalRecipe(), tmp_path / name, form)


def test_an_unknown_signal_is_an_error(documents: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rps_doc_wrod_count"):
        compute_signals(
            read(str(documents)), ["rps_doc_wrod_count"], SignalRecipe(), tmp_path / "s.parquet"
        )
