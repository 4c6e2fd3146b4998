"""Documents in the forms of other tools: what goes out comes back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data import read
from openhearth.data.executors import Threads
from openhearth.data.forms import DOCUMENT_FORMS, open_output
from openhearth.data.forms.documents import datatrove, dolma, own, redpajama
from openhearth.data.schema import FIELDS, Corpus, Part, Rows
from openhearth.data.write import write
from openhearth.errors import UsageError

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
values = st.one_of(words, st.integers(-(2**53), 2**53), st.booleans(), st.none())
metadata = st.dictionaries(words.map("x-{}".format), values, max_size=3)
documents = st.fixed_dictionaries(
    {
        "id": words,
        "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
        "source": words,
        "url": st.none() | words,
        "created": st.none() | words,
        "lang": st.none() | words,
        "license": words,
        "creator": words,
        "metadata": metadata.map(lambda m: json.dumps(m, sort_keys=True)),
    }
)


def save(rows: list[dict], path: Path, form: str | None) -> None:
    corpus = Corpus("memory", "", [Part("rows", lambda quarantine: [Rows(rows)])])
    write(corpus, lambda batch, tally: batch, open_output(path, form), {}, Threads(1))


def load(path: Path) -> list[dict]:
    corpus = read(str(path))
    rows = [row for batch in corpus.batches() for row in batch.to_pylist()]
    assert corpus.quarantine.total == 0
    return rows


def same(row: dict) -> dict:
    """A row with empty columns as none, and its metadata as an object."""
    return {name: row.get(name) or None for name in FIELDS} | {
        "text": row["text"],
        "metadata": json.loads(row["metadata"] or "{}"),
    }


@pytest.mark.parametrize("form", ["jsonl", "dolma", "datatrove"])
@settings(max_examples=30, deadline=None)
@given(rows=st.lists(documents, max_size=5))
def test_nothing_is_lost(
    form: str, rows: list[dict], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("forms") / "x.jsonl.zst"
    save(rows, path, form)
    found = load(path)
    if form == "jsonl":
        assert list(map(same, found)) == list(map(same, rows))
        return
    # Terms for which the form has no field come back from its metadata.
    for row, before in zip(found, rows, strict=True):
        after, expected = same(row), same(before)
        for name in ("url", "created", "lang", "license", "creator", "source"):
            after["metadata"].pop(name, None)
            assert after[name] == expected[name]
        assert after["id"] == expected["id"]
        assert after["text"] == expected["text"]
        assert after["metadata"] == expected["metadata"]


def test_the_columns_of_redpajama_v2_come_back_in_its_order(tmp_path: Path) -> None:
    record = {
        "url": "http://example.org/a",
        "date_download": "2023-01-01T00:00:00Z",
        "digest": "sha1:ABC",
        "length": 12,
        "nlines": 1,
        "source_domain": "example.org",
        "title": "A",
        "raw_content": "Twelve signs",
        "cc_segment": "crawl-data/x.warc.wet.gz",
        "original_nlines": 3,
        "original_length": 40,
        "line_ids": [2],
        "language": "en",
        "language_score": 0.9,
        "perplexity": 321.5,
        "bucket": "head",
    }
    first = tmp_path / "a.jsonl"
    first.write_text(json.dumps(record) + "\n")
    second = tmp_path / "b.jsonl.gz"
    write(read(str(first)), lambda b, t: b, open_output(second, "rpv2"), {}, Threads(1))
    import gzip

    written = json.loads(gzip.decompress(second.read_bytes()))
    assert written == record
    assert list(written) == list(record)


def test_records_have_the_fields_that_others_look_for() -> None:
    row = {
        "id": "1",
        "text": "t",
        "source": "s",
        "url": "u",
        "created": "c",
        "lang": None,
        "license": "MIT",
        "creator": "",
        "metadata": '{"added": "today", "media": [], "k": 1}',
    }
    assert own(row)["metadata"]["k"] == 1
    assert dolma(row) == {
        "id": "1",
        "text": "t",
        "source": "s",
        "added": "today",
        "created": "c",
        "metadata": {"url": "u", "license": "MIT", "media": [], "k": 1},
    }
    assert datatrove(row)["media"] == []
    assert datatrove(row)["metadata"]["url"] == "u"
    assert redpajama(row) == {"url": "u", "date_download": "c", "raw_content": "t"}


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "folder"])
def test_formats_by_their_names(name: str, tmp_path: Path) -> None:
    rows = [{"id": str(i), "text": f"text {i}", "source": "s", "metadata": "{}"} for i in range(9)]
    save(rows, tmp_path / name, None)
    assert [row["text"] for row in load(tmp_path / name)] == [row["text"] for row in rows]
    if name == "a.parquet":
        assert pq.read_schema(tmp_path / name).names == list(FIELDS)


@pytest.mark.parametrize(
    ("name", "form", "words"),
    [
        ("a.csv", None, "says no format"),
        ("a.jsonl", "rpv3", "no form 'rpv3'"),
        ("a.parquet", "dolma", "JSON lines"),
        ("nowhere/a.jsonl", None, "no folder"),
    ],
)
def test_wrong_outputs_say_what_is_right(
    name: str, form: str | None, words: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        open_output(tmp_path / name, form)


def test_every_form_has_a_name() -> None:
    assert set(DOCUMENT_FORMS) == {"jsonl", "dolma", "datatrove", "rpv2"}
