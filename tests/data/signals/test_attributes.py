"""Attributes of the Dolma toolkit: written in its form, and those that it wrote itself read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.forms.attributes import DolmaAttributes, write_attributes
from openhearth.data.schema import Quarantine
from openhearth.data.signals import signal_table
from openhearth.data.sources.dolma_attributes import SPANS, read_attributes, scores
from openhearth.data.sources.files import list_files
from openhearth.errors import UsageError
from tests.data.signals import golden_set

NAMES = ("dolma_word_count", "dolma_symbol_ratio", "refinedweb_lines_num_words")
TOOLKIT = golden_set.GOLDEN / "dolma.attributes.jsonl.gz"


def read(path: Path, quarantine: Quarantine, *names: str) -> pa.Table:
    (file,) = list_files(str(path))
    return pa.concat_tables(read_attributes(file, quarantine, names))


def lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(data).splitlines()]


def test_attributes_have_a_line_for_each_document_in_its_place() -> None:
    form = DolmaAttributes("mine", NAMES)
    written = lines(form.encode(signal_table(golden_set.documents(), NAMES)))
    assert [row["id"] for row in written] == golden_set.documents()["id"].to_pylist()
    assert all(list(row) == ["id", "attributes"] for row in written)
    assert set(written[0]["attributes"]) == {f"mine__openhearth__{name}" for name in NAMES}


def test_ours_are_those_that_the_toolkit_writes() -> None:
    """Dolma's tagger `gopher_v1` and our family have two attributes with the same definition."""
    form = DolmaAttributes("peer", ("dolma_word_count", "dolma_bullet_lines"), "gopher_v1")
    written = lines(form.encode(signal_table(golden_set.documents(), form.names)))
    theirs = ("word_count", "fraction_of_lines_starting_with_bullet_point")
    for row, golden in zip(written, golden_set.dolma(), strict=True):
        for name, other in zip(form.names, theirs, strict=True):
            wanted = golden["attributes"][f"peer__gopher_v1__{other}"]
            assert row["attributes"][form.attribute(name)] == wanted


def test_a_file_of_attributes_has_the_name_of_that_of_the_documents(tmp_path: Path) -> None:
    place = tmp_path / "documents" / "part" / "golden.jsonl.gz"
    place.parent.mkdir(parents=True)
    place.write_bytes(gzip.compress((golden_set.GOLDEN / "documents.jsonl").read_bytes()))
    (file,) = list_files(str(place))
    form = DolmaAttributes("mine", NAMES)
    written = write_attributes(form, file)
    assert written == tmp_path / "attributes" / "mine" / "part" / "golden.jsonl.gz"
    computed = signal_table(golden_set.documents(), NAMES)
    assert lines(written.read_bytes()) == lines(form.encode(computed))
    assert [path.name for path in written.parent.iterdir()] == [written.name]


def test_lines_that_are_no_documents_have_no_attributes(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n[]\n'))
    (file,) = list_files(str(tmp_path / "documents" / "a.jsonl.gz"))
    with pytest.raises(UsageError, match="1 lines that are no documents"):
        write_attributes(DolmaAttributes("mine", NAMES), file)
    assert list((tmp_path / "attributes" / "mine").iterdir()) == []


def test_scores_have_five_decimals_and_nothing_stands_for_undefined() -> None:
    text = "a b c # # #\n\nd\n"
    rows = [{"id": "1", "text": text}, {"id": "2", "text": ""}]
    batch = pa.RecordBatch.from_pylist(rows, schema=golden_set.documents().schema)
    names = (*NAMES, "rps_lines_uppercase_letter_fraction", "rps_doc_word_count")
    first, second = lines(DolmaAttributes("x", names).encode(signal_table(batch, names)))
    assert first["attributes"] == {
        "x__openhearth__dolma_word_count": [[0, 15, 7.0]],
        "x__openhearth__dolma_symbol_ratio": [[0, 15, 0.42857]],  # 3 / 7
        "x__openhearth__refinedweb_lines_num_words": [[0, 12, 6.0], [13, 15, 1.0]],
        "x__openhearth__rps_lines_uppercase_letter_fraction": [
            [0, 12, 0.0], [12, 13, 0.0], [13, 15, 0.0],
        ],
        "x__openhearth__rps_doc_word_count": [[0, 15, 4.0]],
    }  # fmt: skip
    assert second["attributes"]["x__openhearth__dolma_symbol_ratio"] == []
    assert second["attributes"]["x__openhearth__refinedweb_lines_num_words"] == []


def test_they_lie_beside_the_documents() -> None:
    form = DolmaAttributes("mine", NAMES)
    place = form.path("/data/set/documents/part/a.jsonl.gz")
    assert place == PurePosixPath("/data/set/attributes/mine/part/a.jsonl.gz")
    with pytest.raises(UsageError, match="documents"):
        form.path("/data/set/a.jsonl.gz")


@pytest.mark.parametrize("name", ["", "a__b", "1a", "a-b", "a/b", "../a"])
def test_names_that_attributes_cannot_have(name: str) -> None:
    with pytest.raises(UsageError):
        DolmaAttributes(name, NAMES)
    with pytest.raises(UsageError):
        DolmaAttributes("x", NAMES, tagger=name)
    with pytest.raises(UsageError):
        DolmaAttributes("x", (*NAMES, name))


def test_what_the_toolkit_wrote_is_read() -> None:
    quarantine = Quarantine()
    names = {name for row in golden_set.dolma() for name in row["attributes"]}
    table = read(TOOLKIT, quarantine, *names)
    assert quarantine.total == 0
    assert table["id"].to_pylist() == [row["id"] for row in golden_set.dolma()]
    for row, golden in zip(table.to_pylist(), golden_set.dolma(), strict=True):
        for name in names:
            spans = [[span["start"], span["end"], span["score"]] for span in row[name]]
            assert spans == golden["attributes"].get(name, [])


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    form = DolmaAttributes("mine", NAMES)
    computed = signal_table(golden_set.documents(), NAMES)
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(form.encode(computed))
    table = read(path, Quarantine(), *map(form.attribute, NAMES))
    found = scores(table, form.attribute("dolma_symbol_ratio")).to_pylist()
    wanted = computed["dolma_symbol_ratio"].to_pylist()
    assert found == [None if value is None else round(value, 5) for value in wanted]
    assert table.schema.field(form.attribute("refinedweb_lines_num_words")).type == SPANS


def test_a_broken_line_keeps_its_place(tmp_path: Path) -> None:
    good = '{"id": "a", "attributes": {"x": [[0, 1, 0.5]]}}'
    more = '{"id": "b", "attributes": {"y": [[0, 1, 1]], "x": []}}'
    (tmp_path / "a.jsonl").write_text(f"{good}\n\n[]\n{more}\n{good}")
    quarantine = Quarantine()
    table = read(tmp_path / "a.jsonl", quarantine, "x", "y")
    assert table["id"].to_pylist() == ["a", None, None, "b", "a"]
    assert scores(table, "x").to_pylist() == [0.5, None, None, None, 0.5]
    assert scores(table, "y").to_pylist() == [None, None, None, 1.0, None]
    assert quarantine.counts == {"no attributes": 2}
    assert quarantine.examples[1]["where"] == f"a.jsonl at byte {len(good) + 2}"


@given(at=st.integers(0, 3000), cut=st.integers(0, 40), put=st.binary(max_size=20))
@settings(deadline=None)
def test_no_bytes_break_the_reader(
    at: int, cut: int, put: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = "\n".join(map(json.dumps, golden_set.dolma()[:3])).encode()
    at %= len(data)
    path = tmp_path_factory.mktemp("mutated") / "a.jsonl"
    path.write_bytes(data[:at] + put + data[at + cut :])
    names = [f"peer__gopher_v1__{name}" for name in ("word_count", "symbol_to_word_ratio")]
    table = read(path, Quarantine(), *names)
    for name in names:
        assert len(scores(table, name)) == table.num_rows
