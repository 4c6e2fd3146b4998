"""Archives are folders: their files are read in place, and nothing in them can do harm."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data import SCHEMA, read
from openhearth.data.sources import archives
from openhearth.data.sources.text import LARGEST
from tests.data.sources.conftest import read_bytes, rows_of


def parquet_bytes() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"text": ["In a table."]}), out)
    return out.getvalue()


FILES = {
    "docs/a.txt": b"Plain text.",
    "docs/b.md": b"# Markdown",
    "lines.jsonl": b'{"id": "l", "text": "A line."}\n{broken\n',
    "packed.jsonl.gz": gzip.compress(b'{"text": "A packed line."}\n'),
    "page.html": b"<html><body><main><p>A page.</p></main></body></html>",
    "table.parquet": parquet_bytes(),
    "image.png": b"\x89PNG",
    ".hidden.txt": b"secret",
    "__pycache__/x.txt": b"secret",
}
TEXTS = ["Plain text.", "# Markdown", "A line.", "A packed line.", "A page.", "In a table."]


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.zip", zipped(FILES)),
        ("a.zip", zipped(FILES, zipfile.ZIP_STORED)),
        ("a.zip", zipped(FILES, zipfile.ZIP_LZMA)),
        ("a.tar", tarred(FILES)),
        ("a.tar", tarred(FILES, tarfile.GNU_FORMAT)),
        ("a.tar.gz", gzip.compress(tarred(FILES))),
        ("a.tgz", gzip.compress(tarred(FILES))),
        ("a.tar.zst", zstandard.compress(tarred(FILES))),
        ("a.tar.bz2", bz2.compress(tarred(FILES))),
        ("a.txz", lzma.compress(tarred(FILES))),
    ],
)
def test_each_file_is_read_by_its_own_format(name: str, data: bytes, tmp_path: Path) -> None:
    rows, aside = read_bytes(tmp_path / name, data)
    assert [row["text"] for row in rows] == TEXTS
    assert rows[0]["id"] == f"{name}/docs/a.txt"
    assert aside == [{"reason": "not JSON", "where": f"{name}/lines.jsonl at byte 31"}]


def test_many_small_files_share_a_block(tmp_path: Path) -> None:
    files = {f"{i}.txt": f"Text {i}.".encode() for i in range(3000)}
    (tmp_path / "a.tar").write_bytes(tarred(files))
    (batch,) = read(str(tmp_path)).batches()
    assert batch["text"].to_pylist() == [f"Text {i}." for i in range(3000)]


def test_names_and_links_lead_nowhere(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for kind, name in [
            (tarfile.SYMTYPE, "link.txt"),
            (tarfile.LNKTYPE, "hard.txt"),
            (tarfile.CHRTYPE, "device.txt"),
            (tarfile.FIFOTYPE, "pipe.txt"),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/hostname"
            archive.addfile(info)
        info = tarfile.TarInfo("/etc/absolute.txt")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"One"))
    rows, aside = read_bytes(tmp_path / "a.tar", out.getvalue())
    assert [(row["id"], row["text"]) for row in rows] == [("a.tar//etc/absolute.txt", "One")]
    assert not aside
    rows, aside = read_bytes(tmp_path / "b.zip", zipped({"x/../../up.txt": b"Two"}))
    assert not rows  # a folder whose name begins with a dot is hidden
    assert not aside
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "b.zip"]


def test_archives_in_archives_are_set_aside(tmp_path: Path) -> None:
    inner = {"a.zip": zipped(FILES), "b.tar.gz": gzip.compress(tarred(FILES)), "c.txt": b"Good."}
    rows, aside = read_bytes(tmp_path / "o.zip", zipped(inner))
    assert [row["text"] for row in rows] == ["Good."]
    assert aside == [
        {"reason": "an archive in an archive", "where": "o.zip/a.zip"},
        {"reason": "an archive in an archive", "where": "o.zip/b.tar.gz"},
    ]


def test_what_is_encrypted_or_compressed_unknowably_is_set_aside(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": b"One", "b.txt": b"Two", "c.txt": b"Three"}))
    first = data.index(b"PK\1\2")
    second = data.index(b"PK\1\2", first + 1)
    data[first + 8] |= 1  # the flag for encryption
    data[second + 10] = 9  # deflate64
    data[data.index(b"PK\3\4", 10) + 8] = 9
    rows, aside = read_bytes(tmp_path / "a.zip", bytes(data))
    assert [row["text"] for row in rows] == ["Three"]
    assert aside[0] == {"reason": "encrypted", "where": "a.zip/a.txt"}
    assert aside[1]["where"] == "a.zip/b.txt"


def test_a_file_without_a_name_ends_nothing(tmp_path: Path) -> None:
    data = zipped({"x.txt": b"None", "a.txt": b"One"}).replace(b"x.txt", b"\0.txt")
    rows, _ = read_bytes(tmp_path / "a.zip", data)
    assert [row["text"] for row in rows] == ["One"]


def test_a_false_checksum_ends_one_file(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": b"One", "b.txt": b"Two"}, zipfile.ZIP_STORED))
    data[data.index(b"One")] = ord("X")
    rows, aside = read_bytes(tmp_path / "a.zip", bytes(data))
    assert [row["text"] for row in rows] == ["Two"]
    assert "CRC" in aside[0]["reason"]


@pytest.mark.parametrize("pack", [zipped, lambda files: gzip.compress(tarred(files))])
def test_bombs_are_bounded_by_what_is_read(
    pack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "FLOOR", 0)
    line = b'{"text": "' + b"x" * 1000 + b'"}\n'
    files = {"a.txt": b"First."} | {f"{i}.jsonl": line * 5_000 for i in range(6)}
    data = pack(files)
    name = "a.zip" if data.startswith(b"PK") else "a.tar.gz"
    (tmp_path / name).write_bytes(data)
    corpus = read(str(tmp_path))
    seen = sum(batch["text"].nbytes for batch in corpus.batches())
    assert len(data) * archives.RATIO < 6 * 5_000 * len(line)
    assert 0 < seen < 1.1 * len(data) * archives.RATIO
    assert any("200 times its size" in example["reason"] for example in corpus.quarantine.examples)


def test_files_that_are_too_large_for_their_format_are_set_aside(tmp_path: Path) -> None:
    files = {"large.txt": b"x" * (LARGEST + 1), "z.txt": b"Good."}
    for name, data in [("a.zip", zipped(files)), ("a.tar.gz", gzip.compress(tarred(files), 1))]:
        rows, aside = read_bytes(tmp_path / name, data)
        assert [row["text"] for row in rows] == ["Good."]
        assert [a["reason"] for a in aside] == ["larger than 64 MiB"]


def test_a_header_that_asks_for_much_memory_gets_none(tmp_path: Path) -> None:
    # The extended header of a file claims 1 GiB, and the archive has it, as zeros.
    info = tarfile.TarInfo("header")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    packer = zstandard.ZstdCompressor().compressobj()
    data = packer.compress(info.tobuf()) + b"".join(
        packer.compress(bytes(1 << 20)) for _ in range(1024)
    )
    (tmp_path / "a.tar.zst").write_bytes(data + packer.flush())
    tracemalloc.start()
    corpus = read(str(tmp_path))
    assert not rows_of(corpus)
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()
    assert corpus.quarantine.total == 1


def test_files_with_holes_are_set_aside(tmp_path: Path) -> None:
    info = tarfile.TarInfo("caf\udce9.txt")
    info.type = tarfile.GNUTYPE_SPARSE
    data = bytearray(info.tobuf(tarfile.GNU_FORMAT, errors="surrogateescape"))
    data[483:495] = b"77777777777\0"  # its size with its holes
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    rows, aside = read_bytes(tmp_path / "a.tar", bytes(data) + tarred({"b.txt": b"Good."}))
    assert [row["text"] for row in rows] == ["Good."]
    assert aside == [{"reason": "sparse", "where": "a.tar/caf?.txt"}]


def test_a_size_below_zero_is_no_loop(tmp_path: Path) -> None:
    data = bytearray(tarred({"a.txt": b"One", "b.txt": b"Two"}))
    second = data.index(b"b.txt\0")
    info = tarfile.TarInfo.frombuf(bytes(data[second : second + 512]), "utf-8", "strict")
    info.size = -1024
    data[second : second + 512] = info.tobuf(tarfile.GNU_FORMAT)
    rows, _ = read_bytes(tmp_path / "a.tar", bytes(data))
    assert [row["text"] for row in rows] == ["One"]


@pytest.mark.parametrize("form", ["tar", "tar.gz", "zip"])
def test_a_cut_archive_gives_what_it_holds(form: str, tmp_path: Path) -> None:
    chance = random.Random(1)
    files = {f"{i}.txt": chance.randbytes(2000).hex().encode() for i in range(9)}
    data = {"tar": tarred, "tar.gz": lambda f: gzip.compress(tarred(f)), "zip": zipped}[form](files)
    rows, aside = read_bytes(tmp_path / f"a.{form}", data[: len(data) // 2])
    assert [row["text"] for row in rows] == [files[f"{i}.txt"].decode() for i in range(len(rows))]
    assert (len(rows) >= 3) == (form != "zip")  # whose list of files is at its end
    assert 1 <= len(aside) <= 2


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz", "a.tar.zst"])
@pytest.mark.parametrize("data", [b"", b"no archive\n" * 100])
def test_what_is_no_archive_is_set_aside(name: str, data: bytes, tmp_path: Path) -> None:
    rows, aside = read_bytes(tmp_path / name, data)
    assert not rows
    assert len(aside) == 1


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_compressed_files_too_large_for_memory_are_read_as_they_come(
    pack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "IN_MEMORY", -1)
    line = b'{"text": "A packed line."}\n'
    packed = {
        ".gz": gzip.compress(line),
        ".bz2": bz2.compress(line),
        ".xz": lzma.compress(line),
        ".zst": zstandard.compress(line),
    }
    files = {f"lines.jsonl{suffix}": data for suffix, data in packed.items()}
    rows, aside = read_bytes(tmp_path / f"a.{pack.__name__[:3]}", pack(files))
    assert [row["text"] for row in rows] == ["A packed line."] * len(packed)
    assert not aside


SMALL = {name: data for name, data in FILES.items() if not name.endswith("html")}
SEEDS = {
    "a.zip": zipped(SMALL),
    "a.tar": tarred(SMALL),
    "b.tar": tarred({"ü" * 200 + ".txt": b"Long"} | SMALL, tarfile.GNU_FORMAT),
    "a.tar.gz": gzip.compress(tarred(SMALL)),
}


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(SEEDS)), seed=st.integers(0, 1 << 32))
def test_no_bytes_end_the_reading(
    name: str, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(seed)
    data = bytearray(SEEDS[name])
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(data))
        if chance.random() < 0.9:
            data[place] = chance.randrange(256)
        else:
            del data[place : place + chance.randint(1, 600)]
    path = tmp_path_factory.mktemp("fuzz") / name
    path.write_bytes(data)
    for batch in read(str(path)).batches():
        assert batch.schema == SCHEMA
