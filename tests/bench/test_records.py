"""Raw records: what is written is what is read."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.bench import records
from openhearth.bench.records import Chunk, Failure, Part, Record, read_records, write_records
from openhearth.errors import UsageError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TIME = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers(-9, 9) | TEXT, max_size=3)
RECORDS = st.builds(
    Record,
    number=st.integers(0, 10**9),
    workload=TEXT,
    route=st.sampled_from(["chat/completions", "completions", "embeddings"]),
    request=PLAIN,
    due=TIME,
    check=PLAIN,
    point=st.integers(0, 99),
    sent=st.none() | TIME,
    ended=st.none() | TIME,
    status=st.none() | st.integers(100, 599),
    chunks=st.lists(st.builds(Chunk, TIME, TEXT, st.sampled_from(Part)), max_size=4),
    completion_tokens=st.none() | st.integers(0, 10**6),
    logprobs=st.lists(PLAIN, max_size=2),
    failure=st.none() | st.sampled_from(Failure),
    detail=TEXT,
)


@settings(deadline=None, max_examples=50)
@given(st.lists(RECORDS, max_size=4, unique_by=lambda one: (one.point, one.number)))
def test_what_is_written_is_read(written: list[Record]) -> None:
    with TemporaryDirectory() as folder:
        write_records(Path(folder, "records.parquet"), written)
        read = read_records(Path(folder, "records.parquet"))
    assert read == sorted(written, key=lambda one: (one.point, one.number))


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=200), st.integers(0, 2000))
def test_what_is_damaged_is_refused(junk: bytes, at: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "records.parquet")
        write_records(path, [Record(1, "chat", "chat/completions", {}, 0.0)])
        whole = path.read_bytes()
        path.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
        try:
            read_records(path)
        except UsageError as error:
            assert "holds no records" in str(error)  # noqa: PT017  # or nothing that matters


def test_a_small_file_that_says_one_thing_a_thousand_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MOST_BYTES", 16 * 2**20)
    path = tmp_path / "records.parquet"
    long = Record(1, "chat", "chat/completions", {}, 0.0, detail="a" * 2**16)
    write_records(path, [long] * 1000)
    assert path.stat().st_size < 2**16
    with pytest.raises(UsageError, match="more than 16 MiB"):
        read_records(path)
    write_records(path, [long] * 200)
    assert len(read_records(path)) == 200


def test_a_file_of_other_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"number": [1]}), tmp_path / "records.parquet")
    with pytest.raises(UsageError, match="holds no records"):
        read_records(tmp_path / "records.parquet")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no records"):
        read_records(tmp_path / "records.parquet")


def test_an_answer_is_its_text_without_thoughts_and_calls() -> None:
    chunks = [Chunk(0.1, "hm ", Part.THOUGHT), Chunk(0.2, "yes"), Chunk(0.3, "{}", Part.TOOL_CALL)]
    record = Record(1, "chat", "chat/completions", {}, 0.0, chunks=chunks)
    assert record.output == "hm yes{}"
    assert record.text == "yes"
