"""Parquet in the layouts that tools write: nothing is lost, and what is broken is set aside."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import io
import random
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data import SCHEMA, Corpus, Quarantine, read
from openhearth.data.schema import document
from openhearth.data.sources import parquet
from openhearth.data.sources.files import list_files
from tests.data.sources.conftest import rows_of


def write(path: Path, columns: dict[str, Any], **options: Any) -> Corpus:
    pq.write_table(pa.table(columns), path, **options)
    return read(str(path))


def test_our_own_columns_come_back_as_they_are(tmp_path: Path) -> None:
    rows = [document(str(i), f"Text {i} ü", "wiki", terms=("CC0", "Ann"), n=i) for i in range(9000)]
    table = pa.Table.from_pylist(rows, SCHEMA)
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=5000)
    batches = list(read(str(tmp_path / "a.parquet")).batches())
    assert pa.Table.from_batches(batches) == table
    assert max(batch.num_rows for batch in batches) <= 5000


def test_own_columns_never_become_python_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(parquet, "_to_plain")
    corpus = write(
        tmp_path / "a.parquet", {"text": ["One.", None, "Three."], "id": ["a", "b", None]}
    )
    rows = rows_of(corpus)
    assert [(row["id"], row["text"], row["source"]) for row in rows] == [
        ("a", "One.", "a.parquet"),
        ("a.parquet/2", "Three.", "a.parquet"),
    ]
    assert corpus.quarantine.examples == [{"reason": "no text", "where": "a.parquet row 1"}]


def test_the_layout_of_datasets(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for i in range(2):
        columns = {"text": [f"Shard {i}."], "label": pa.array(["good"]).dictionary_encode()}
        pq.write_table(pa.table(columns), tmp_path / "data" / f"train-0000{i}-of-00002.parquet")
    rows = rows_of(read(str(tmp_path)))
    assert [row["id"] for row in rows] == [f"data/train-0000{i}-of-00002.parquet/0" for i in (0, 1)]
    assert [row["text"] for row in rows] == ["Shard 0.", "Shard 1."]
    assert orjson.loads(rows[0]["metadata"]) == {"label": "good"}


def test_the_columns_of_fineweb(tmp_path: Path) -> None:
    columns = {
        "text": ["A page."],
        "id": ["<urn:uuid:1>"],
        "dump": ["CC-MAIN-2024-10"],
        "url": ["https://example.org/"],
        "date": ["2024-02-20T00:00:00Z"],
        "file_path": ["s3://commoncrawl/x.warc.gz"],
        "language": ["en"],
        "language_score": [0.97],
        "token_count": [2],
    }
    (row,) = rows_of(write(tmp_path / "a.parquet", columns))
    assert (row["id"], row["url"], row["lang"]) == ("<urn:uuid:1>", columns["url"][0], "en")
    rest = orjson.loads(row["metadata"])
    assert rest["dump"] == "CC-MAIN-2024-10"
    assert (rest["language_score"], rest["token_count"]) == (0.97, 2)


def test_the_struct_of_datatrove(tmp_path: Path) -> None:
    metadata = {"url": "https://example.org/", "deep": {"list": [1, 2]}}
    (row,) = rows_of(
        write(tmp_path / "a.parquet", {"text": ["A."], "id": ["0/1"], "metadata": [metadata]})
    )
    assert (row["id"], row["text"], orjson.loads(row["metadata"])) == ("0/1", "A.", metadata)


def test_samples_of_redpajama(tmp_path: Path) -> None:
    meta = {"url": "https://example.org/", "language": "en", "source_domain": "example.org"}
    signals = '{"ccnet_length": [[0, 2, 2.0]]}'
    columns = {
        "raw_content": ["A page."],
        "doc_id": ["2023-14/0000/en_head.json.gz/0"],
        "meta": [orjson.dumps(meta).decode()],
        "quality_signals": [signals],
    }
    (row,) = rows_of(write(tmp_path / "a.parquet", columns))
    assert (row["id"], row["text"]) == (columns["doc_id"][0], "A page.")
    assert orjson.loads(row["metadata"]) == meta | {"quality_signals": signals}


def test_values_that_json_has_not_become_text(tmp_path: Path) -> None:
    when = dt.datetime(2024, 2, 29, 12, 30, 1, 500000)
    columns = {
        "text": pa.array([b"Bytes that are text."], pa.binary()),
        "created": pa.array([when], pa.timestamp("us", "Europe/Berlin")),
        "nanoseconds": pa.array([1], pa.timestamp("ns")),
        "inner": [{"day": dt.date(2024, 2, 29), "raw": b"\xff\x00", "plain": b"ok"}],
        "price": [decimal.Decimal("1.50")],
        "half": pa.array([0.5], pa.float16()),
        "pairs": pa.array([[("k", dt.date(2024, 1, 1))]], pa.map_(pa.string(), pa.date32())),
        "list": pa.array([[dt.time(1, 2)]], pa.large_list(pa.time32("s"))),
    }
    corpus = write(tmp_path / "a.parquet", columns)
    (row,) = rows_of(corpus)
    assert not corpus.quarantine.total
    assert (row["text"], row["created"]) == (
        "Bytes that are text.",
        "2024-02-29T12:30:01.500000Z",  # Arrow keeps times of a zone in UTC
    )
    assert orjson.loads(row["metadata"]) == {
        "nanoseconds": "1970-01-01T00:00:00.000000001",
        "inner": {
            "day": "2024-02-29",
            "raw": base64.b64encode(b"\xff\x00").decode(),
            "plain": "ok",
        },
        "price": "1.50",
        "half": 0.5,
        "pairs": [["k", "2024-01-01"]],
        "list": ["01:02:00.000"],  # Parquet has no whole seconds
    }


@pytest.mark.parametrize("name", ["text", "raw_content"])
def test_rows_that_are_no_text_are_set_aside_alone(name: str, tmp_path: Path) -> None:
    texts = pa.array([b"Good.", b"\xff bad", None, b"Good again."], pa.binary())
    corpus = write(tmp_path / "a.parquet", {name: texts.cast(pa.string(), safe=False)})
    assert [(row["id"], row["text"]) for row in rows_of(corpus)] == [
        ("a.parquet/0", "Good."),
        ("a.parquet/3", "Good again."),
    ]
    assert corpus.quarantine.examples == [
        {"reason": "not UTF-8", "where": "a.parquet row 1"},
        {"reason": "no text", "where": "a.parquet row 2"},
    ]


def test_metadata_that_is_no_json_is_kept_as_text(tmp_path: Path) -> None:
    columns = {"text": ["A.", "B."], "id": ["a", "b"], "metadata": ["just words", '{"n": 1}']}
    rows = rows_of(write(tmp_path / "a.parquet", columns))
    assert [orjson.loads(row["metadata"]) for row in rows] == [{"metadata": "just words"}, {"n": 1}]


def test_equal_ids_are_kept(tmp_path: Path) -> None:
    rows = rows_of(write(tmp_path / "a.parquet", {"text": ["A.", "B."], "id": ["same", "same"]}))
    assert [(row["id"], row["text"]) for row in rows] == [("same", "A."), ("same", "B.")]


def test_a_dictionary_does_not_make_a_small_file_a_large_block(tmp_path: Path) -> None:
    # 4,000 rows of 64 KiB, 256 MiB in all, in a file of a few kilobytes.
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 4_000), pa.array(["x" * (64 << 10)]))
    pq.write_table(pa.table({"text": texts.cast(pa.string())}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    (file,) = list_files(str(tmp_path / "a.parquet"))
    before = pa.total_allocated_bytes()
    sizes = []
    for block in parquet.read(file, Quarantine()):
        sizes.append(block.table.nbytes)
        assert pa.total_allocated_bytes() - before < 64 << 20
    assert max(sizes) < 12 << 20
    assert sum(sizes) > 4_000 * (64 << 10)


def test_a_broken_row_group_is_set_aside_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = [f"Text number {i}." for i in range(300)]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=100, compression="zstd")
    with pq.ParquetFile(path) as file:
        chunk = file.metadata.row_group(1).column(0)
        middle = chunk.data_page_offset + chunk.total_compressed_size // 4
    data = bytearray(path.read_bytes())
    data[middle : middle + 40] = b"\xff" * 40
    path.write_bytes(data)
    corpus = read(str(path))
    ids = [row["id"] for row in rows_of(corpus)]
    assert ids == [f"a.parquet/{i}" for i in (*range(100), *range(200, 300))]
    assert [e["where"] for e in corpus.quarantine.examples] == ["a.parquet row group 1"]


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1", b"text\n" * 100])
def test_what_is_no_parquet_is_set_aside(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(data)
    corpus = read(str(tmp_path))
    assert rows_of(corpus) == []
    assert corpus.quarantine.total == 1


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["A."]), pa.array(["B."])], ["text", "text"])
    pq.write_table(table, tmp_path / "a.parquet")
    corpus = read(str(tmp_path))
    assert rows_of(corpus) == []
    assert list(corpus.quarantine.counts) == ["not Parquet (several columns have one name)"]


def _seed() -> bytes:
    out = io.BytesIO()
    inner = [{"n": i, "raw": bytes([i])} for i in range(40)]
    texts = [f"Text {i % 7}" for i in range(40)]
    when = pa.array(range(40), pa.timestamp("ns"))
    table = pa.table({"text": texts, "doc_id": range(40), "inner": inner, "when": when})
    pq.write_table(table, out, row_group_size=20)
    return out.getvalue()


SEED = _seed()


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 32), changes=st.integers(1, 8), cut=st.booleans())
def test_no_bytes_end_the_reading(
    seed: int, changes: int, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(seed)
    data = bytearray(SEED)
    for _ in range(changes):
        data[chance.randrange(len(data))] = chance.randrange(256)
    if cut:
        del data[chance.randrange(len(data)) :]
    path = tmp_path_factory.mktemp("fuzz") / "a.parquet"
    path.write_bytes(data)
    for batch in read(str(path)).batches():
        batch.validate(full=True)
        assert batch.schema == SCHEMA
        assert all(isinstance(orjson.loads(m or "{}"), dict) for m in batch["metadata"].to_pylist())
