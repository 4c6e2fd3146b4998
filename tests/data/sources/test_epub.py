"""EPUB books: their chapters in order, and nothing that an archive can do to us."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.schema import Quarantine
from openhearth.data.sources import epub, read
from tests.data.sources.conftest import Held

CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
  <rootfiles><rootfile full-path="OEBPS/content.opf"
    media-type="application/oebps-package+xml"/></rootfiles>
</container>"""
PACKAGE = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">
  <metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
    <dc:identifier id="id">urn:isbn:1234</dc:identifier>
    <dc:title>The
      Book</dc:title><dc:title>A subtitle</dc:title>
    <dc:creator>Ann Lee</dc:creator><dc:creator>Bob B.</dc:creator>
    <dc:language>en-GB</dc:language><dc:date>2001-02-03</dc:date>
    <dc:rights>CC BY 4.0</dc:rights><dc:subject>Birds</dc:subject>
    <meta property="dcterms:modified">2024-01-01T00:00:00Z</meta>
  </metadata>
  <manifest>
    <item id="two" href="text/two%20b.xhtml#start" media-type="application/xhtml+xml"/>
    <item id="one" href="one.xhtml" media-type="application/xhtml+xml"/>
    <item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
    <item id="note" href="note.xhtml" media-type="application/xhtml+xml"/>
    <item id="gone" href="../../../etc/passwd" media-type="application/xhtml+xml"/>
    <item id="pic" href="pic.svg" media-type="image/svg+xml"/>
  </manifest>
  <spine>
    <itemref idref="nav"/><itemref idref="one"/><itemref idref="pic"/><itemref idref="none"/>
    <itemref idref="two"/><itemref idref="gone"/><itemref idref="note" linear="no"/>
  </spine>
</package>"""
ONE = """<!DOCTYPE html [<!ENTITY evil "x">]><html xmlns="http://www.w3.org/1999/xhtml">
<head><title>no</title><style>p {}</style></head>
<body><h1>One</h1><p>It&#8217;s a <em>short</em>
 chapter&nbsp;&evil;.</p><ul><li>first</li><li>second</li></ul></body></html>"""
FILES = {
    "mimetype": b"application/epub+zip",
    "META-INF/container.xml": CONTAINER.encode(),
    "OEBPS/content.opf": PACKAGE.encode(),
    "OEBPS/one.xhtml": ONE.encode(),
    "OEBPS/text/two b.xhtml": "<html><body><p>Zwei € 2</p></body></html>".encode("utf-16"),
    "OEBPS/note.xhtml": b"<p>A note.</p>",
    "OEBPS/nav.xhtml": b"<p>Contents</p>",
}


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def books(data: bytes) -> tuple[list[dict[str, Any]], Quarantine]:
    aside = Quarantine()
    return list(epub.read(Held("x.epub", "x.epub", len(data), "", data), aside)), aside


def test_a_book_is_one_document(tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "book.epub").write_bytes(packed(FILES))
    corpus = read(str(tmp_path))
    (row,) = [row for batch in corpus.batches() for row in batch.to_pylist()]
    assert row == {
        "id": "shelf/book.epub",
        "text": "One\n\nIt\u2019s a short chapter &evil;.\n\n* first\n* second\n\nZwei € 2",
        "source": "shelf",
        "url": None,
        "created": "2001-02-03",
        "lang": "en-GB",
        "license": "CC BY 4.0",
        "creator": "Ann Lee, Bob B.",
        "metadata": json.dumps(
            {"identifier": ["urn:isbn:1234"], "subjects": ["Birds"], "title": "The Book"}
        ),
    }
    (aside,) = corpus.quarantine.examples
    assert aside["reason"].startswith("a chapter that cannot be read (there is no ")


ENCRYPTED = """<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"
 xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData><enc:CipherData>
 <enc:CipherReference URI="{}"/></enc:CipherData></enc:EncryptedData></encryption>"""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"META-INF/container.xml": None}, "there is no META-INF/container.xml"),
        ({"META-INF/container.xml": b"<container/>"}, "it names no package"),
        ({"OEBPS/content.opf": b"<package/>"}, "it has no text"),
        ({"OEBPS/content.opf": b"<!DOCTYPE p [<!ENTITY a 'b'>]><p>&a;</p>"}, "declarations"),
        ({"OEBPS/content.opf": b"<a>" * 100}, "nested deeper"),
        ({"OEBPS/content.opf": b" " * (17 << 20)}, "larger than 16 MiB"),
        ({"META-INF/encryption.xml": ENCRYPTED.format("OEBPS/one.xhtml").encode()}, "is encrypted"),
    ],
)
def test_what_is_no_book_is_set_aside(changes: dict[str, bytes | None], reason: str) -> None:
    files = {name: data for name, data in (FILES | changes).items() if data is not None}
    rows, aside = books(packed(files))
    assert rows == []
    assert reason in next(iter(aside.counts))


def test_fonts_may_be_encrypted_and_chapters_too_large() -> None:
    font = {"META-INF/encryption.xml": ENCRYPTED.format("OEBPS/fonts/a.otf").encode()}
    assert len(books(packed(FILES | font))[0]) == 1
    bomb = {"OEBPS/one.xhtml": b"<p>" + bytes(17 << 20)}
    (row,), aside = books(packed(FILES | bomb))
    assert row["text"] == "Zwei € 2"
    assert aside.counts["a chapter that cannot be read (larger than 16 MiB)"] == 1


def test_a_list_of_files_that_claims_to_be_huge_is_not_read() -> None:
    end = b"PK\5\6" + bytes(8) + (64 << 20).to_bytes(4, "little") + bytes(6)
    _, aside = books(bytes(64 << 20) + end)
    assert "more than 16 MiB would be read at once" in next(iter(aside.counts))


def test_old_charsets_are_read_if_the_page_says_so() -> None:
    said = "<?xml version='1.0' encoding='windows-1252'?><p>“Müller”</p>".encode("cp1252")
    assert books(packed(FILES | {"OEBPS/one.xhtml": said}))[0][0]["text"].startswith("“Müller”")
    rows, aside = books(packed(FILES | {"OEBPS/one.xhtml": b"<p>M\xfcller"}))
    assert rows[0]["text"] == "Zwei € 2"
    assert aside.total == 2


SAMPLE = packed(FILES)


@settings(deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, len(SAMPLE)), st.binary(max_size=9)), max_size=6),
    junk=st.binary(max_size=100),
    name=st.sampled_from(list(FILES)),
)
def test_no_bytes_end_the_reading(edits: list[tuple[int, bytes]], junk: bytes, name: str) -> None:
    data = bytearray(SAMPLE)
    for place, change in edits:
        data[place : place + len(change)] = change
    for book in (bytes(data), junk, packed(FILES | {name: junk}), SAMPLE + junk):
        rows, aside = books(book)
        assert len(rows) <= 1
        assert rows or aside.total
