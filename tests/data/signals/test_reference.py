"""The page that lists the signals says of each of them what is so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from openhearth.data.signals import DOCUMENT_SIGNALS, FAMILIES, LINE_SIGNALS, SIGNALS, compute
from tests.data.signals import golden_set
from tests.data.signals.texts import random_text

PAGE = (Path(__file__).parents[3] / "docs/reference/signals.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)
ROWS = {name: (limits, undefined) for name, _, limits, undefined in ROW.findall(PAGE)}
BOUNDS = {"0\u20131": (0, 1), "0\u20130.1": (0, 0.1), "0\u20138": (0, 8), "0 or 1": (0, 1)}


@pytest.fixture(scope="module")
def table() -> pa.Table:
    random = Random(5)
    texts = golden_set.documents()["text"].to_pylist() + [random_text(random) for _ in range(500)]
    lists = golden_set.resources().lists
    return compute(texts, tuple(FAMILIES), lists=lists)


def test_each_signal_is_listed_once() -> None:
    assert [name for name, *_ in ROW.findall(PAGE)] == sorted(ROWS, key=PAGE.index)
    assert set(ROWS) == set(SIGNALS)
    assert len(ROW.findall(PAGE)) == len(SIGNALS)
    assert all(f"`{family}`" in PAGE for family in FAMILIES)


def values(column: pa.ChunkedArray) -> Iterator[float | None]:
    chunk = column.combine_chunks()
    yield from (chunk.flatten() if pa.types.is_list(chunk.type) else chunk).to_pylist()


@pytest.mark.parametrize("name", [*DOCUMENT_SIGNALS, *LINE_SIGNALS])
def test_values_are_in_range_and_undefined_where_it_says(name: str, table: pa.Table) -> None:
    limits, undefined = ROWS[name]
    found = list(values(table[name]))
    low, high = BOUNDS.get(limits) or (float(limits.removeprefix("\u2265 ")), float("inf"))
    assert all(value is None or low <= value <= high for value in found)
    assert (None in found) == (undefined != "never")
