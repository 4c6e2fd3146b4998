"""Steps over parts: the same files whoever does the work, and whenever it was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openhearth.data import pipeline
from openhearth.data.executors import Threads
from openhearth.data.forms import JsonLines, Parquet
from openhearth.data.forms.documents import own
from openhearth.data.schema import Corpus, Part, Quarantine, Rows, document
from openhearth.data.tally import Tally
from openhearth.errors import HearthError

PARTS, BLOCKS, ROWS = 4, 6, 5


def read_part(part: int, quarantine: Quarantine) -> Iterator[Rows]:
    quarantine.add("bad", f"part {part}", 17)
    for block in range(BLOCKS):
        yield Rows([document(f"{part}-{block}-{row}", "x" * row, "s") for row in range(ROWS)])


CORPUS = Corpus("here", "1", [Part(f"p{i}", partial(read_part, i)) for i in range(PARTS)])


def without_empty(batch: pa.RecordBatch, tally: Tally) -> pa.RecordBatch:
    """Drops the first row of each block, and notes where it was."""
    tally.count("rows", batch.num_rows)
    tally.example("places", list(pipeline.place(batch)))
    return batch.slice(1)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_files_and_counts_are_the_same_with_any_number_of_threads(
    threads: int, tmp_path: Path
) -> None:
    report = pipeline.run(CORPUS, without_empty, JsonLines(own), tmp_path, Threads(threads))
    assert report.tally.counts == {"rows": PARTS * BLOCKS * ROWS}
    assert report.tally.examples["places"] == [[0, 0], [0, 1]]
    assert report.quarantine.counts == {"bad": PARTS}
    assert [path.name for path in report.files] == [f"{i:06}.jsonl" for i in range(PARTS)]
    alone = pipeline.run(CORPUS, without_empty, JsonLines(own), tmp_path / "alone", Threads(1))
    assert [p.read_bytes() for p in report.files] == [p.read_bytes() for p in alone.files]


def test_a_batch_is_a_row_group_and_knows_its_place(tmp_path: Path) -> None:
    report = pipeline.run(CORPUS, without_empty, Parquet(), tmp_path)
    file = pq.ParquetFile(report.files[2])
    assert file.num_row_groups == BLOCKS
    assert file.schema_arrow.metadata is None or pipeline.PLACE not in file.schema_arrow.metadata
    assert file.read_row_group(3)["id"].to_pylist() == [f"2-3-{row}" for row in range(1, ROWS)]


def test_a_run_that_failed_goes_on_where_it_was(tmp_path: Path) -> None:
    broken = True

    def step(batch: pa.RecordBatch, tally: Tally) -> pa.RecordBatch:
        part, block = pipeline.place(batch)
        if broken and (part, block) == (2, 3):
            raise OSError("the disk is gone")
        done.append(part)
        return without_empty(batch, tally)

    done: list[int] = []
    with pytest.raises(OSError, match="disk"):
        pipeline.run(CORPUS, step, JsonLines(own), tmp_path, Threads(1))
    assert sorted(p.name for p in tmp_path.glob("*.jsonl")) == ["000000.jsonl", "000001.jsonl"]
    assert not list(tmp_path.glob("*.part"))
    broken = False
    done.clear()
    resumed = pipeline.run(CORPUS, step, JsonLines(own), tmp_path, Threads(1))
    assert set(done) == {2, 3}
    unbroken = pipeline.run(CORPUS, without_empty, JsonLines(own), tmp_path / "other", Threads(1))
    assert [p.read_bytes() for p in resumed.files] == [p.read_bytes() for p in unbroken.files]
    assert resumed.tally == unbroken.tally
    assert resumed.quarantine.to_dict() == unbroken.quarantine.to_dict()


def test_too_many_broken_records_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(HearthError, match="2 records were set aside, over the limit of 1"):
        pipeline.run(CORPUS, without_empty, Parquet(), tmp_path, limit=1)
    pipeline.run(CORPUS, without_empty, Parquet(), tmp_path / "other", limit=PARTS)


def test_a_part_without_rows_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    corpus = Corpus("here", "1", [Part("empty", lambda quarantine: [])])
    report = pipeline.run(corpus, without_empty, Parquet(), tmp_path)
    assert pq.read_table(report.files[0]).num_rows == 0


def test_progress_counts_parts(tmp_path: Path) -> None:
    told = []
    pipeline.run(
        CORPUS,
        without_empty,
        Parquet(),
        tmp_path,
        progress=lambda *arguments: told.append(arguments),
        stage="count",
    )
    assert told == [("count", i + 1, PARTS, f"p{i}") for i in range(PARTS)]
