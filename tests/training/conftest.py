"""A store with the tiny model and a small dataset of questions whose answers can be learnt."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openhearth.data import SCHEMA
from openhearth.models import pull
from openhearth.store import Draft, Store


def rows(sources: range) -> pa.Table:
    """Ten examples a source: the answer repeats the number that the question names."""
    records = []
    for source in sources:
        for i in range(10):
            number = f"{source}{i}"
            messages = [
                {"role": "user", "content": f"def number_{number}(a, b): return a + b"},
                {"role": "assistant", "content": f"Return the sum of number {number}."},
            ]
            records.append(
                {
                    "id": f"package-{source}/{i}",
                    "text": messages[1]["content"],
                    "source": f"package-{source}",
                    "metadata": json.dumps({"messages": messages}),
                }
            )
    return pa.Table.from_pylist(records, schema=SCHEMA)


def make_dataset(store: Store) -> None:
    def build(draft: Draft) -> None:
        pq.write_table(rows(range(6)), draft.path("train/000000.parquet"))
        pq.write_table(rows(range(6, 9)), draft.path("heldout/000000.parquet"))
        draft.path("funnel.json").write_text("[]")

    store.tag("numbers", store.make("dataset", build, recipe={"made": "by hand"}).digest)


@pytest.fixture
def store(tmp_path: Path, tiny_directory: Path) -> Store:
    store = Store(tmp_path / "home")
    pull(store, str(tiny_directory), name="tiny")
    make_dataset(store)
    return store
