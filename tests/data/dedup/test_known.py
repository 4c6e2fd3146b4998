"""Published duplicates: exactly those that the list names go."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openhearth.data import read
from openhearth.data.dedup.known import drop_known
from openhearth.data.executors import Threads
from openhearth.data.forms import open_output
from openhearth.errors import NotFound, UsageError


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"id": f"d{i}", "text": f"t{i}"}) + "\n" for i in range(9)))
    return path


def test_what_is_listed_goes(documents: Path, tmp_path: Path) -> None:
    """The columns are those of RedPajama-V2's `duplicates` files."""
    listed = ["d3", "d7", "of another shard"]
    table = pa.table({"shard_id": ["s"] * 3, "doc_id": listed, "digest": ["sha1:A"] * 3})
    pq.write_table(table, tmp_path / "duplicates.parquet")
    out = tmp_path / "out.jsonl"
    rows, report = drop_known(
        read(str(documents)), tmp_path / "duplicates.parquet", open_output(out), Threads(1)
    )
    kept = [json.loads(line)["id"] for line in out.read_text().splitlines()]
    assert kept == [f"d{i}" for i in range(9) if i not in (3, 7)]
    assert (rows[0]["documents"], rows[0]["removed"], rows[0]["kept"]) == (9, 2, 7)
    assert [example["id"] for example in rows[0]["examples"]] == ["d3", "d7"]
    assert report.tally.counts["documents"] == 7


def test_other_files_are_refused(documents: Path, tmp_path: Path) -> None:
    output = open_output(tmp_path / "out.jsonl")
    with pytest.raises(NotFound):
        drop_known(read(str(documents)), tmp_path / "no.parquet", output)
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(UsageError, match="holds no duplicates"):
        drop_known(read(str(documents)), tmp_path / "other.parquet", output)
