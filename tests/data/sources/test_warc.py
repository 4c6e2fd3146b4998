"""WARC and WET: what crawls hold, written by FastWARC and by hand, whole and broken."""

from __future__ import annotations

import gzip
import io
import random
import zlib
from pathlib import Path
from typing import Any

import brotli
import orjson
import pytest
import zstandard
from fastwarc.stream_io import GzipWriter
from fastwarc.warc import WarcRecord, WarcRecordType
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data import SCHEMA, read
from openhearth.data.sources import warc
from tests.data.sources.conftest import read_bytes, rows_of

PAGE = (
    "<html><head><title>T</title></head><body><nav>menu</nav><main><p>The café at number {} "
    "is open every day, and serves what the garden gives.</p></main></body></html>"
)
OK = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"


def record(
    data: bytes, kind: str = "response", number: int = 0, length: int | None = None, **more: str
) -> bytes:
    """A record as the standard writes it, by hand."""
    fields = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:{number}>",
        "WARC-Target-URI": f"https://Site{number}.example.org:8080/page?x=1",
        "WARC-Date": "2024-02-29T12:00:00Z",
        "Content-Type": "application/http; msgtype=response",
        "Content-Length": str(len(data) if length is None else length),
    } | {name.replace("_", "-"): value for name, value in more.items()}
    header = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"WARC/1.1\r\n{header}\r\n".encode() + data + b"\r\n\r\n"


def page(number: int, head: str = OK, body: bytes | None = None) -> bytes:
    body = PAGE.format(number).encode() if body is None else body
    return record(f"{head}\r\n".encode() + body, number=number)


def numbers(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"].removeprefix("<urn:uuid:").removesuffix(">") for row in rows]


def test_responses_become_the_text_of_their_pages(tmp_path: Path) -> None:
    others = record(b"x", "warcinfo") + record(b"GET / HTTP/1.1\r\n\r\n", "request")
    (row,), aside = read_bytes(tmp_path / "a.warc", others + page(7))
    assert not aside
    metadata = row.pop("metadata")
    assert row == {
        "id": "<urn:uuid:7>",
        "text": "The café at number 7 is open every day, and serves what the garden gives.",
        "source": "site7.example.org",
        "url": "https://Site7.example.org:8080/page?x=1",
        "created": "2024-02-29T12:00:00Z",
        "lang": "",
        "license": "",
        "creator": "",
    }
    assert orjson.loads(metadata) == {
        "source_domain": "site7.example.org",
        "status": 200,
        "content_type": "text/html",
    }


def test_conversions_are_text_as_it_is(tmp_path: Path) -> None:
    one = record("Größe\n\nzwei".encode(), "conversion", 1, WARC_Identified_Content_Language="deu")
    two = record(b"Both", "conversion", 2, WARC_Identified_Content_Language="eng,deu")
    bad = record(b"\xff\xfe", "conversion", 3)
    data = b"".join(map(gzip.compress, (one, two, bad)))
    rows, aside = read_bytes(tmp_path / "a.warc.wet.gz", data)
    assert [(row["text"], row["lang"]) for row in rows] == [("Größe\n\nzwei", "deu"), ("Both", "")]
    assert orjson.loads(rows[1]["metadata"])["languages"] == "eng,deu"
    offset = len(gzip.compress(one) + gzip.compress(two))
    assert aside == [{"reason": "not UTF-8 text", "where": f"a.warc.wet.gz at byte {offset}"}]


def compressed_whole(records: list[bytes]) -> bytes:
    return gzip.compress(b"".join(records))


def compressed_each(records: list[bytes]) -> bytes:
    return b"".join(map(gzip.compress, records))


def zstd_each(records: list[bytes]) -> bytes:
    return b"".join(map(zstandard.compress, records))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.warc", b"".join),
        ("a.warc.gz", compressed_whole),
        ("a.warc.gz", compressed_each),
        ("a.warc.zst", zstd_each),
    ],
)
def test_all_compressions(name: str, write: Any, tmp_path: Path) -> None:
    rows, aside = read_bytes(tmp_path / name, write([page(i) for i in range(20)]))
    assert numbers(rows) == [str(i) for i in range(20)]
    assert not aside


def test_what_fastwarc_writes(tmp_path: Path) -> None:
    out = io.BytesIO()
    with GzipWriter(out) as stream:
        made = WarcRecord()
        made.init_headers(WarcRecordType.response)
        made.headers["WARC-Target-URI"] = "https://example.org/"
        made.is_http = True
        made.set_bytes_content(f"{OK}\r\n{PAGE.format(1)}".encode())
        made.write(stream, checksum_data=True)
    (row,), aside = read_bytes(tmp_path / "a.warc.gz", out.getvalue())
    assert (row["id"], row["source"]) == (made.record_id, "example.org")
    assert "number 1" in row["text"]
    assert not aside


def test_documents_without_an_id_or_host_are_named_by_their_place(tmp_path: Path) -> None:
    first = record(b"One", "conversion")
    data = first + b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 3\r\n\r\nTwo\r\n\r\n"
    rows, _ = read_bytes(tmp_path / "a.wet", data)
    assert (rows[1]["id"], rows[1]["source"]) == (f"a.wet/{len(first)}", "a.wet")


def chunked(data: bytes) -> bytes:
    return b"%x\r\n" % len(data) + data + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.compress),
        ("identity", bytes),
        ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    ],
)
def test_codings_of_http(coding: str, encode: Any, tmp_path: Path) -> None:
    body = encode(PAGE.format(1).encode())
    head = f"{OK}Content-Encoding: {coding}\r\n"
    data = page(1, head, body) + page(2, f"{head}Transfer-Encoding: chunked\r\n", chunked(body))
    rows, aside = read_bytes(tmp_path / "a.warc", data)
    assert ["number 1" in row["text"] for row in rows] == [True, True]
    assert not aside


def test_the_charset_is_what_the_page_is_in(tmp_path: Path) -> None:
    latin, russian = "Le café est ouvert.", "Кафе открыто каждый день."
    plain, said = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n", OK.replace("utf-8", "{}")
    meta = b"<meta charset='koi8-r'><p>"
    data = (
        page(1, plain, f"<p>{latin}".encode())
        + page(2, said.format("iso-8859-1"), f"<p>{latin}".encode())  # the server is wrong
        + page(3, said.format('"ISO-8859-1"'), f"<p>{latin}".encode("latin-1"))
        + page(4, plain, meta + russian.encode("koi8-r"))
        + page(5, said.format("no-such-thing"), f"<p>{russian}".encode("cp1251"))
        + page(6, plain, f"<p>{latin}".encode("utf-16"))
    )
    rows, _ = read_bytes(tmp_path / "a.warc", data)
    assert [row["text"] for row in rows] == [latin, latin, latin, russian, russian, latin]


@pytest.mark.parametrize(
    ("head", "body", "reason"),
    [
        (OK.replace("200 OK", "404 Not Found"), None, "not a response with status 200"),
        (OK.replace("text/html", "application/pdf"), None, "not HTML"),
        ("HTTP/1.1 200 OK\r\n", None, "not HTML"),
        ("", b"", "not a response with status 200"),
        (OK, b"<html><body><script>x()</script></body></html>", "a page without text"),
        (f"{OK}Content-Encoding: gzip\r\n", b"<p>plain", "not coded as it says"),
        (f"{OK}Transfer-Encoding: chunked\r\n", b"5\r\nab", "not coded as it says"),
        (f"{OK}Content-Encoding: rot13\r\n", b"x", "in codings that are not known"),
        (f"{OK}Content-Encoding: gzip,gzip,gzip,gzip\r\n", b"x", "in codings that are not known"),
    ],
)
def test_what_is_no_page_is_set_aside(
    head: str, body: bytes | None, reason: str, tmp_path: Path
) -> None:
    before = page(1)
    rows, aside = read_bytes(tmp_path / "a.warc", before + page(2, head, body) + page(3))
    assert numbers(rows) == ["1", "3"]
    assert aside == [{"reason": reason, "where": f"a.warc at byte {len(before)}"}]


def test_what_is_too_large_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warc, "LARGEST", 1 << 20)
    bomb = gzip.compress(b" " * (100 << 20))
    data = (
        page(1, body=b"<p>" + b"x" * (1 << 20))
        + page(2, f"{OK}Content-Encoding: gzip\r\n", bomb)
        + page(3)
    )
    rows, aside = read_bytes(tmp_path / "a.warc", data)
    assert numbers(rows) == ["3"]
    assert [a["reason"] for a in aside] == ["larger than 1 MiB"] * 2


@pytest.mark.parametrize("garbage", [b"garbage\r\n", b"\0" * 3000, b"\xff" * 70_000])
def test_garbage_between_records_is_set_aside_once(garbage: bytes, tmp_path: Path) -> None:
    data = page(1) + garbage + page(2) + page(3) + garbage
    rows, aside = read_bytes(tmp_path / "a.warc", data)
    assert numbers(rows) == ["1", "2", "3"]
    last = len(page(1) + garbage + page(2))
    assert [a["where"] for a in aside] == ["a.warc at byte 0", f"a.warc at byte {last}"]


def test_a_broken_member_is_set_aside_alone(tmp_path: Path) -> None:
    members = [gzip.compress(page(i)) for i in range(4)]
    broken = bytearray(members[1])
    broken[60] ^= 0xFF
    data = members[0] + bytes(broken) + members[2] + b"garbage" + members[3]
    rows, aside = read_bytes(tmp_path / "a.warc.gz", data)
    assert numbers(rows) == ["0", "2", "3"]
    assert len(aside) == 2


@pytest.mark.parametrize("write", [b"".join, compressed_each, zstd_each])
def test_a_cut_file_gives_what_it_holds(write: Any, tmp_path: Path) -> None:
    name = {compressed_each: "a.warc.gz", zstd_each: "a.warc.zst"}.get(write, "a.warc")
    whole = write([record(b"Some text.", "conversion", i) for i in range(3)])
    for cut in range(2 * len(whole) // 3 + 8, len(whole) - 20, 7):
        rows, aside = read_bytes(tmp_path / name, whole[:cut])
        assert numbers(rows) == ["0", "1"]
        assert len(aside) == 1


def test_a_false_length_swallows_no_other_record(tmp_path: Path) -> None:
    data = page(1) + record(b"x", number=2, length=5000) + page(3) + page(4)
    rows, aside = read_bytes(tmp_path / "a.warc", data)
    assert numbers(rows) == ["1", "3", "4"]
    assert [a["reason"] for a in aside] == ["a record that is cut off"]


@pytest.mark.parametrize("data", [b"", b"text\n" * 1000, b"\x1f\x8b\x08" * 5000])
def test_what_is_no_warc_is_set_aside(data: bytes, tmp_path: Path) -> None:
    for name in ("a.warc", "a.warc.gz"):
        rows, aside = read_bytes(tmp_path / name, data)
        assert not rows
        assert 1 <= len(aside) <= 2


def test_equal_ids_are_kept(tmp_path: Path) -> None:
    rows, _ = read_bytes(tmp_path / "a.warc", page(1) + page(1))
    assert numbers(rows) == ["1", "1"]


def test_trafilatura_is_an_option(tmp_path: Path) -> None:
    (tmp_path / "a.warc").write_bytes(page(1))
    (row,) = rows_of(read(str(tmp_path), "warc-trafilatura"))
    assert "The café at number 1 is open" in row["text"]
    assert orjson.loads(row["metadata"])["status"] == 200


CODED = page(5, f"{OK}Content-Encoding: gzip\r\n", gzip.compress(PAGE.format(5).encode()))
RECORDS = [page(0), record("Ü".encode(), "conversion", 1), CODED, page(3)]
SEEDS = {
    "a.warc": b"".join(RECORDS),
    "a.warc.gz": compressed_each(RECORDS),
    "a.warc.zst": zstd_each(RECORDS),
}


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(sorted(SEEDS)), seed=st.integers(0, 1 << 32))
def test_no_bytes_end_the_reading(
    name: str, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(seed)
    data = bytearray(SEEDS[name])
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(data) + 1)
        change = chance.choice(["set", "cut", "insert", "end"])
        if change == "set" and place < len(data):
            data[place] = chance.randrange(256)
        elif change == "cut":
            del data[place : place + chance.randint(1, 50)]
        elif change == "insert":
            data[place:place] = chance.randbytes(20)
        elif change == "end":
            del data[place:]
    path = tmp_path_factory.mktemp("fuzz") / name
    path.write_bytes(data)
    for batch in read(str(path)).batches():
        batch.validate(full=True)
        assert batch.schema == SCHEMA
