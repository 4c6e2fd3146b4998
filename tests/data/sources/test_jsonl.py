"""JSON lines of every tool, and lines that are none, up to some of two gigabytes."""

from __future__ import annotations

import gzip
import json
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data import SCHEMA, Quarantine, read
from openhearth.data.sources import jsonl
from openhearth.data.sources.files import list_files
from tests.data.sources.conftest import rows_of

TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello there."}]
PACK = {".gz": gzip.compress, ".zst": zstandard.compress}


def write_lines(path: Path, lines: list[Any]) -> Path:
    data = b"\n".join(x if isinstance(x, bytes) else orjson.dumps(x) for x in lines)
    path.write_bytes(PACK.get(path.suffix, bytes)(data))
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.ndjson", "A.JSONL"])
def test_good_lines_go_on_beside_bad_ones(name: str, tmp_path: Path) -> None:
    lines = [
        {"id": 7, "text": "Short.", "source": "wiki", "license": "CC0"},
        b"{broken",
        [1, 2],
        b"",
        {"content": "Other name."},
        {"messages": TURNS},
        {"messages": TURNS[:1]},
        {"text": 5},
        {"text": None},
        b'{"text": "\xff"}',
        b'{"text": "\\ud800"}',
    ]
    corpus = read(str(write_lines(tmp_path / name, lines)))
    rows = rows_of(corpus)
    assert [row["text"] for row in rows] == ["Short.", "Other name.", "Hello there.\n\nHi"]
    assert [row["id"] for row in rows] == ["7", f"{name}/4", f"{name}/5"]
    assert (rows[0]["source"], rows[0]["license"]) == ("wiki", "CC0")
    assert json.loads(rows[2]["metadata"])["messages"] == TURNS
    assert corpus.quarantine.counts == {
        "not JSON": 2,  # a lone surrogate is none
        "not UTF-8": 1,
        "not a JSON object": 1,
        "no text": 3,
    }


def test_places_are_offsets_in_the_uncompressed_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 64)
    good = [{"text": f"Line {i}."} for i in range(50)]
    corpus = read(str(write_lines(tmp_path / "a.jsonl.gz", [*good, b"broken", *good])))
    rows = rows_of(corpus)
    assert [row["id"] for row in rows] == [f"a.jsonl.gz/{i}" for i in range(101) if i != 50]
    offset = sum(len(orjson.dumps(line)) + 1 for line in good)
    assert corpus.quarantine.examples[0]["where"] == f"a.jsonl.gz at byte {offset}"


def test_equal_ids_are_kept(tmp_path: Path) -> None:
    lines = [{"id": "same", "text": "One."}, {"id": "same", "text": "Two."}]
    assert len(rows_of(read(str(write_lines(tmp_path / "a.jsonl", lines))))) == 2


RECORDS = [
    (  # Dolma
        {
            "id": "d",
            "text": "A.",
            "source": "books",
            "added": "2024-01-01",
            "created": "1999",
            "metadata": {"n": 1},
        },
        {"id": "d", "source": "books", "created": "1999"},
        {"added": "2024-01-01", "n": 1},
    ),
    (  # datatrove
        {"text": "A.", "id": "0/1", "metadata": {"url": "https://example.org"}, "media": []},
        {"id": "0/1", "url": "https://example.org"},
        {"url": "https://example.org", "media": []},
    ),
    (  # RedPajama-V1
        {"text": "A.", "meta": {"timestamp": "2023"}},
        {"id": "x.jsonl/0", "source": "x.jsonl"},
        {"meta": {"timestamp": "2023"}},
    ),
    (  # RedPajama-V2, CCNet
        {"raw_content": "A.", "url": "u", "date_download": "2023", "language": "en", "nlines": 1},
        {"url": "u", "created": "2023", "lang": "en"},
        {"nlines": 1},
    ),
]


@pytest.mark.parametrize(("record", "columns", "metadata"), RECORDS)
def test_forms_that_tools_write(
    record: dict[str, Any], columns: dict[str, str], metadata: dict[str, Any], tmp_path: Path
) -> None:
    (row,) = rows_of(read(str(write_lines(tmp_path / "x.jsonl", [record]))))
    assert row["text"] == "A."
    assert {name: row[name] for name in columns} == columns
    assert json.loads(row["metadata"]) == metadata


def test_a_cut_archive_gives_what_it_holds(tmp_path: Path) -> None:
    chance = random.Random(0)
    lines = [{"text": f"Text {i} {chance.randbytes(500).hex()}."} for i in range(2000)]
    for suffix in (".gz", ".zst"):
        path = write_lines(tmp_path / f"cut.jsonl{suffix}", lines)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) - len(data) // 4])
        corpus = read(str(path))
        assert 800 < len(rows_of(corpus)) < 2000
        assert corpus.quarantine.total == 1


def zeros_then(size: int, end: bytes) -> Iterator[bytes]:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    yield packer.compress(b'{"text": "Before."}\n')
    for _ in range(size >> 22):
        yield packer.compress(bytes(1 << 22))
    yield packer.compress(end)
    yield packer.flush()


def test_a_line_of_two_gigabytes_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.zst"
    with path.open("wb") as out:
        out.writelines(zeros_then(2 << 30, b'\n{"text": "After."}\nbroken'))
    (file,) = list_files(str(path))
    aside = Quarantine()
    tracemalloc.start()
    batches = [block.batch(aside) for block in jsonl.read(file, aside)]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4 * jsonl.LONGEST_LINE
    texts = [text for batch in batches for text in batch["text"].to_pylist()]
    assert texts == ["Before.", "After."]
    end = 20 + (2 << 30) + 1 + 19
    assert aside.examples == [
        {"reason": "a line longer than 64 MiB", "where": "a.jsonl.zst at byte 20"},
        {"reason": "not JSON", "where": f"a.jsonl.zst at byte {end}"},
    ]


@given(
    junk=st.binary(max_size=300),
    name=st.sampled_from(["x.jsonl", "x.jsonl.gz", "x.jsonl.zst", "x.jsonl.bz2", "x.jsonl.xz"]),
)
def test_no_bytes_end_the_reading(
    junk: bytes, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("junk") / name
    path.write_bytes(junk)
    for batch in read(str(path)).batches():
        assert batch.schema == SCHEMA


PACKED = gzip.compress(b'{"text": "Some text."}\n' * 30)


@given(changes=st.dictionaries(st.integers(0, len(PACKED) - 1), st.integers(0, 255), max_size=5))
def test_no_change_of_a_compressed_file_ends_the_reading(
    changes: dict[int, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = bytearray(PACKED)
    for place, value in changes.items():
        data[place] = value
    path = tmp_path_factory.mktemp("changed") / "x.jsonl.gz"
    path.write_bytes(data)
    for batch in read(str(path)).batches():
        assert batch.schema == SCHEMA


@given(
    record=st.dictionaries(
        st.sampled_from(["text", "id", "doc_id", "metadata", "meta", "messages", "language", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["url", "role", "content"]), inner, max_size=2)
            ),
            max_leaves=5,
        ),
        max_size=5,
    )
)
def test_any_object_is_a_row_or_none(record: dict[str, Any]) -> None:
    aside = Quarantine()
    batch = jsonl.Lines("x", 0, 0, orjson.dumps(record)).batch(aside)
    assert batch.num_rows + aside.total == 1
    for row in batch.to_pylist():
        assert isinstance(json.loads(row["metadata"]), dict)
