"""WARC and WET, which crawls are kept in: pages that were answered, and texts made of such pages.

The records that are documents are responses with HTML, whose main text is found, and conversions,
which are text. `source` is the host that a page is from, so that sources can be capped and held
out. A place is the offset that indexes of crawls give: where the record, or the gzip member that it
is, begins in the file as it lies there.

After bytes that are no record, reading goes on where the next one may begin.
https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import pyarrow as pa

from openhearth.data.schema import BLOCK_BYTES, BLOCK_ROWS, Quarantine, Row, document, to_batch
from openhearth.data.sources.files import Errors, File
from openhearth.data.sources.html import RESILIPARSE, main_text
from openhearth.errors import MissingExtra

READS_BLOCKS = True
LARGEST = 64 << 20  # bytes of one record, and of what it decompresses to
MOST_GAPS = 1000  # stretches of a file that are no records
MOST_CODINGS = 3  # of one response
STARTS = {".gz": b"\x1f\x8b\x08", ".zst": b"\x28\xb5\x2f\xfd"}  # of a record, else:
START = b"WARC/1."
HTML = ("text/html", "application/xhtml+xml")


def read(file: File, quarantine: Quarantine, extractor: str = RESILIPARSE) -> Iterator[Records]:
    """The records of a file, a block at a time.

    Raises:
        MissingExtra: FastWARC, or the extractor, is not installed.
    """
    held: list[Record] = []
    size = 0
    try:
        with file.open_raw() as stream:
            for record in _records(stream, file, quarantine):
                held.append(record)
                size += len(record.data)
                if size >= BLOCK_BYTES or len(held) >= BLOCK_ROWS:
                    yield Records(file.name, extractor, held)
                    held, size = [], 0
    except Errors as error:
        quarantine.add(f"cannot be read further ({error})", file.name)
    if held:
        yield Records(file.name, extractor, held)


@dataclass(frozen=True)
class Record:
    """A record that may be a document: where it is, what its header says, and its block."""

    offset: int
    header: dict[str, str]  # names in lower case
    data: bytes


def _records(stream: BinaryIO, file: File, quarantine: Quarantine) -> Iterator[Record]:
    """Responses and conversions; gaps between records are set aside, each once."""
    try:
        from fastwarc.warc import ArchiveIterator
    except ModuleNotFoundError as error:
        raise MissingExtra("FastWARC", "html") from error
    start = STARTS.get(file.compression, START)
    last = place = 0  # where the last record begins, and from where on the next one is looked for
    in_gap = False
    for _ in range(MOST_GAPS):
        stream.seek(place)
        problem = "cut off"
        found = False
        try:
            for raw in ArchiveIterator(stream, parse_http=False):
                last = place = raw.stream_pos
                record = _record(raw, file.name, quarantine)
                found, in_gap = True, False
                if record:
                    yield record
                    place += len(record.data) if start == START else 0  # it may hold what looks so
        except OSError as error:
            problem = str(error)
            found = False
        if not found and not in_gap:
            quarantine.add(f"no WARC record from here on ({problem})", file.name, last)
            in_gap = True
        place = _find(stream, start, place + 1)
        if place < 0:
            return
    quarantine.add(f"more than {MOST_GAPS} gaps, not read further", file.name, place)


def _find(stream: BinaryIO, start: bytes, place: int) -> int:
    """Where `start` is next, from `place` on; -1 if it is nowhere."""
    stream.seek(place)
    held = b""
    while data := stream.read(1 << 20):
        held += data
        if (found := held.find(start)) >= 0:
            return place + found
        kept = held[-len(start) + 1 :]
        place += len(held) - len(kept)
        held = kept
    return -1


def _record(raw: Any, name: str, quarantine: Quarantine) -> Record | None:
    """A record that is read whole, if it may be a document."""
    header = {key.lower(): value for key, value in raw.headers.items()}
    if "warc-type" not in header or "content-length" not in header:
        quarantine.add("a record that is cut off", name, raw.stream_pos)
        return None
    if header["warc-type"] not in ("response", "conversion"):
        return None
    if raw.content_length > LARGEST:
        quarantine.add(f"larger than {LARGEST >> 20} MiB", name, raw.stream_pos)
        return None
    data = raw.reader.read(raw.content_length)
    if len(data) < raw.content_length:
        quarantine.add("a record that is cut off", name, raw.stream_pos)
        return None
    return Record(raw.stream_pos, header, data)


@dataclass(frozen=True)
class Records:
    """Some records of a file. Their texts are found by whichever thread has time."""

    file: str
    extractor: str
    records: list[Record]

    def batch(self, quarantine: Quarantine) -> pa.RecordBatch:
        """The documents that the records are."""
        rows = []
        for record in self.records:
            try:
                rows.append(self._row(record))
            except ValueError as error:
                quarantine.add(str(error), self.file, record.offset)
        return to_batch(rows, quarantine)

    def _row(self, record: Record) -> Row:
        header = record.header
        identity = header.get("warc-record-id") or f"{self.file}/{record.offset}"
        url = header.get("warc-target-uri", "").strip("<>")
        host = _host(url)
        metadata: dict[str, Any] = {"source_domain": host} if host else {}
        if header["warc-type"] == "conversion":
            text = _decoded(record.data)
            metadata["content_type"] = header.get("content-type", "text/plain")
        else:
            status, content_type, text = _response(record.data, self.extractor)
            metadata |= {"status": status, "content_type": content_type}
        if not text.strip():
            raise ValueError("a page without text")
        languages = header.get("warc-identified-content-language", "")
        if "," in languages:
            metadata["languages"] = languages
        return document(identity, text, host or self.file, **metadata) | {
            "url": url,
            "created": header.get("warc-date", ""),
            "lang": "" if "," in languages else languages,
        }


def _host(url: str) -> str:
    """The host of a URL, in lower case; empty if it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8 text") from error


def _response(data: bytes, extractor: str) -> tuple[int, str, str]:
    """Status, content type and main text of an HTTP response.

    Raises:
        ValueError: it is no page of HTML, or cannot be read.
    """
    from fastwarc.warc import HeaderMap

    http = HeaderMap("latin1")
    body = data[http.parse(io.BytesIO(data)) :]
    if http.status_code != 200:
        raise ValueError("not a response with status 200")
    content_type = http.get("Content-Type") or ""
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() not in HTML:
        raise ValueError("not HTML")
    codings = f"{http.get('Content-Encoding') or ''},{http.get('Transfer-Encoding') or ''}"
    body = _decompressed(body, [c.strip().lower() for c in codings.split(",") if c.strip()])
    charset = parameters.lower().partition("charset=")[2].partition(";")[0].strip(" \"'")
    return 200, kind, main_text(body, extractor, charset)


def _decompressed(body: bytes, codings: list[str]) -> bytes:
    """A body without the codings that were applied to it, in this order."""
    from fastwarc import stream_io

    readers: dict[str, Callable[[BinaryIO], Any]] = {
        "gzip": stream_io.GzipReader,
        "x-gzip": stream_io.GzipReader,
        "deflate": partial(stream_io.GzipReader, zlib=True),
        "br": stream_io.BrotliReader,
        "zstd": stream_io.ZstdReader,
        "chunked": stream_io.ChunkedReader,
    }
    given = [coding for coding in codings if coding != "identity"]
    if len(given) > MOST_CODINGS or not set(given) <= set(readers):
        raise ValueError("in codings that are not known")
    for coding in reversed(given):
        try:
            body = readers[coding](io.BytesIO(body)).read(LARGEST + 1)
        except OSError as error:
            raise ValueError("not coded as it says") from error
        if len(body) > LARGEST:
            raise ValueError(f"larger than {LARGEST >> 20} MiB")
    return body
