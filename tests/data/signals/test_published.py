"""RedPajama-V2's published form: written byte for byte as its own code writes it, and read back."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data import pipeline
from openhearth.data.forms.signals import RedPajamaSignals, described
from openhearth.data.hashes import id_int
from openhearth.data.schema import Quarantine
from openhearth.data.signals import LINE_SIGNALS, Resources, signal_table
from openhearth.data.signals.names import CCNET, PUBLISHED, SCORES
from openhearth.data.signals.published import RPV2, to_rpv2
from openhearth.data.sources import rpv2
from openhearth.data.sources.files import list_files
from openhearth.data.sources.formats import read_files
from openhearth.data.tally import Tally
from openhearth.errors import NotFound, UsageError
from tests.data.signals import golden_set
from tests.data.signals.texts import any_text


def table(names: Any = RPV2) -> pa.Table:
    return signal_table(golden_set.documents(), names, golden_set.resources())


def batch_of(*texts: str, **columns: str) -> pa.RecordBatch:
    rows = [
        {"id": f"x/{i}", "text": text, "metadata": "{}", **columns} for i, text in enumerate(texts)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=golden_set.documents().schema)


# -- writing


def test_records_are_byte_for_byte_those_of_the_reference() -> None:
    written = list(to_rpv2(golden_set.documents(), table()))
    wanted = golden_set.RECORDS.read_bytes().splitlines()
    for record, golden in zip(written, wanted, strict=True):
        assert record == golden


def test_the_names_are_the_45_of_the_reference_in_its_order() -> None:
    assert list(RPV2) == list(golden_set.published()[0]["quality_signals"])
    assert len(RPV2) == 45
    assert set(RPV2) - set(SCORES) <= set(table(PUBLISHED).column_names)


def test_ids_are_numbered_by_their_sha1() -> None:
    # sha1("abc") begins with a9993e36 4706816a (FIPS 180-2, appendix A.1).
    assert id_int("abc") == int.from_bytes(bytes.fromhex("a9993e364706816a"), "little")


def test_metadata_that_a_document_lacks_is_null() -> None:
    batch = batch_of("A text.", url="https://a.example", lang="en")
    (record,) = map(json.loads, to_rpv2(batch, signal_table(batch, ["rps_doc_word_count"]), ()))
    assert record["metadata"] == {
        "cc_segment": None,
        "cc_net_source": "x",
        "url": "https://a.example",
        "source_domain": None,
        "language": "en",
        "snapshot_id": None,
    }
    assert record["quality_signals"] == {}


def test_any_signals_can_be_published() -> None:
    batch = batch_of("One.\n\nThree three\n", "")
    names = ["refinedweb_lines_num_words", "oh_max_word_len", "gopher_mean_word_length"]
    first, second = map(json.loads, to_rpv2(batch, signal_table(batch, names), names))
    assert first["quality_signals"] == {
        "refinedweb_lines_num_words": [[0, 5, 1.0], [5, 6, None], [6, 18, 2.0]],
        "oh_max_word_len": [[0, 18, 5.0]],
        "gopher_mean_word_length": [[0, 18, round(13 / 3, 8)]],  # One, Three, three; not "."
    }
    assert second["quality_signals"] == {
        "refinedweb_lines_num_words": [],
        "oh_max_word_len": [[0, 0, 0.0]],
        "gopher_mean_word_length": [[0, 0, None]],
    }


@given(texts=st.lists(any_text, max_size=4), quoted=st.text(st.characters(codec="utf-8")))
@settings(deadline=None, max_examples=60)
def test_every_record_is_json_whose_spans_cover_the_text(texts: list[str], quoted: str) -> None:
    batch = batch_of(*texts, url=quoted, lang="en")
    for text, line in zip(texts, to_rpv2(batch, signal_table(batch, RPV2)), strict=True):
        record = json.loads(line)
        assert record["metadata"]["url"] == quoted
        signals = record["quality_signals"]
        assert tuple(signals) == RPV2
        assert signals["rps_doc_word_count"][0][:2] == [0, len(text)]
        spans = [text[start:end] for start, end, _ in signals["rps_lines_num_words"]]
        assert "".join(spans) == text


def test_a_slice_of_a_table_is_published_as_itself() -> None:
    whole = list(to_rpv2(golden_set.documents(), table()))
    assert list(to_rpv2(golden_set.documents().slice(70, 9), table().slice(70, 9))) == whole[70:79]


# -- the form


class Publish:
    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.Table:
        return described(batch, signal_table(batch, RPV2, golden_set.resources()))


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
def test_a_run_leaves_files_of_records(tmp_path: Path, compression: str) -> None:
    corpus = read_files(str(golden_set.GOLDEN / "documents.jsonl"))
    form = RedPajamaSignals(compression=compression)
    report = pipeline.run(corpus, Publish(), form, tmp_path)
    (path,) = report.files
    assert path.name == f"000000.jsonl{compression}"
    data = path.read_bytes()
    if compression == ".gz":
        data = gzip.decompress(data)
    elif compression == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    assert data == golden_set.RECORDS.read_bytes()


# -- reading


def read(path: Path, quarantine: Quarantine, names: Any = RPV2) -> pa.Table:
    (file,) = list_files(str(path))
    return pa.concat_tables(
        [rpv2.schema(names).empty_table(), *rpv2.read_signals(file, quarantine, names)]
    )


def test_signals_come_back_as_they_were_computed() -> None:
    quarantine = Quarantine()
    found = read(golden_set.RECORDS, quarantine)
    computed = table()
    assert quarantine.total == 0
    assert set(found.column_names) == set(computed.column_names)
    for name in set(found.column_names) - {n for n in RPV2 if "importance" in n}:
        assert found[name].to_pylist() == computed[name].to_pylist(), name


def test_what_is_read_is_published_again(tmp_path: Path) -> None:
    found = read(golden_set.RECORDS, Quarantine())
    lines = to_rpv2(golden_set.documents(), found)
    assert b"".join(line + b"\n" for line in lines) == golden_set.RECORDS.read_bytes()


def test_records_are_joined_to_documents_by_id() -> None:
    names = ["rps_doc_word_count", "rps_lines_num_words"]
    found = read(golden_set.RECORDS, Quarantine(), names)
    ids = golden_set.documents()["id"]
    wanted = pa.array([ids[5].as_py(), "elsewhere/0", ids[2].as_py()])
    joined = rpv2.align(found, wanted)
    assert joined["id"].to_pylist() == [ids[5].as_py(), None, ids[2].as_py()]
    assert joined["rps_lines_num_words"][2] == found["rps_lines_num_words"][2]
    assert joined["rps_doc_word_count"].to_pylist()[1] is None


def test_signals_of_the_samples_are_json_in_json(tmp_path: Path) -> None:
    record = golden_set.published()[8]
    sample = {"doc_id": "a/1", "quality_signals": json.dumps(record["quality_signals"])}
    (tmp_path / "sample.jsonl").write_text(json.dumps(sample))
    (row,) = read(tmp_path / "sample.jsonl", Quarantine()).to_pylist()
    assert row["id"] == "a/1"
    assert row["rps_doc_word_count"] == 1


def test_broken_records_are_set_aside(tmp_path: Path) -> None:
    good = json.dumps(golden_set.published()[8])
    broken = [
        "[]",
        "{}",
        "not json",
        '{"id": 3, "quality_signals": {}}',
        '{"id": "a", "quality_signals": 3}',
        '{"id": "a", "quality_signals": {"ccnet_length": [[0, 1]]}}',
        '{"id": "a", "quality_signals": {"ccnet_length": [[0, -1, 1]]}}',
        '{"id": "a", "quality_signals": {"ccnet_length": [[0, 99999999999, 1]]}}',
        '{"id": "a", "quality_signals": {"ccnet_length": [[0, 1, "1"]]}}',
        '{"id": "a", "quality_signals": {"rps_lines_num_words": [[0, 5, 1], [3, 4, 1]]}}',
    ]
    path = tmp_path / "signals.jsonl"
    path.write_text("\n".join([*broken, good]) + "\n")
    quarantine = Quarantine()
    assert read(path, quarantine)["id"].to_pylist() == [golden_set.published()[8]["id"]]
    assert quarantine.counts == {"no signals of RedPajama-V2": len(broken)}
    assert quarantine.examples[1]["where"] == "signals.jsonl at byte 3"


@given(
    at=st.integers(0, 5000),
    cut=st.integers(0, 40),
    put=st.binary(max_size=20),
    row=st.integers(0, 145),
)
@settings(deadline=None)
def test_no_bytes_break_the_reader(
    at: int, cut: int, put: bytes, row: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    record = golden_set.RECORDS.read_bytes().splitlines()[row]
    at %= len(record)
    path = tmp_path_factory.mktemp("mutated") / "signals.jsonl"
    path.write_bytes(record[:at] + put + record[at + cut :])
    found = read(path, Quarantine())
    for row in found.to_pylist():
        assert all(len(row[n]) in (0, len(row["line_ends"])) for n in RPV2 if n in LINE_SIGNALS)


# -- duplicates and signatures


def test_duplicates_and_signatures_are_tables(tmp_path: Path) -> None:
    golden = json.loads((golden_set.GOLDEN / "rpv2.minhash.json").read_text())
    rows = [
        {"shard_id": "2023-06/0000/en_head.json.gz", "id": name, "id_int": id_int(name)}
        | {key: value and list(map(bytes.fromhex, value)) for key, value in bands.items()}
        for name, bands in golden.items()
    ]
    # The schema of RedPajama-Data, app/src/core/worker.py.
    fields = [("shard_id", pa.string()), ("id", pa.string()), ("id_int", pa.uint64())]
    fields += [(f"signature_sim{s}", pa.list_(pa.binary())) for s in ("1.0", "0.9", "0.8", "0.7")]
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(fields)), tmp_path / "minhash.parquet")
    found = rpv2.read_minhash(tmp_path / "minhash.parquet")
    assert found.to_pylist() == rows
    given = {"shard_id": ["s"], "doc_id": ["s/1"], "digest": ["sha1:X"]}
    pq.write_table(pa.table(given), tmp_path / "duplicates.parquet")
    assert rpv2.read_duplicates(tmp_path / "duplicates.parquet").to_pydict() == given
    with pytest.raises(UsageError, match="doc_id, digest"):
        rpv2.read_duplicates(tmp_path / "minhash.parquet")
    with pytest.raises(NotFound):
        rpv2.read_minhash(tmp_path / "none.parquet")


@given(data=st.binary(max_size=200))
@settings(deadline=None)
def test_no_bytes_break_the_reader_of_tables(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "a.parquet"
    path.write_bytes(b"PAR1" + data + b"PAR1")
    with pytest.raises(UsageError):
        rpv2.read_duplicates(path)


# -- scores


def test_ccnets_numbers_are_those_of_the_text_where_metadata_has_none() -> None:
    batch = batch_of("Two\nlines\n")
    row = signal_table(batch, CCNET).to_pylist()[0]
    assert row["ccnet_length"] == row["ccnet_original_length"] == 10
    assert row["ccnet_nlines"] == row["ccnet_original_nlines"] == 3
    assert row["ccnet_perplexity"] is row["ccnet_bucket"] is row["ccnet_language_score"] is None


def test_importance_is_asked_for_or_not() -> None:
    batch = batch_of("A text.")
    assert signal_table(batch, ["ccnet_length"], golden_set.resources()).column_names == [
        "id", "length", "line_ends", "ccnet_length",
    ]  # fmt: skip
    found = signal_table(batch, ["rps_doc_books_importance"], Resources())
    assert found["rps_doc_books_importance"].to_pylist() == [None]
