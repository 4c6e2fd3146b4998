"""EPUB 2 and 3: a book is one document, its chapters in the order of its spine, a blank line apart.

A chapter is all content, so nothing of it is judged to be boilerplate; left out are tables of
contents and what the spine marks as not linear. `license` is the book's `rights` as written,
`creator` all its creators. Books under DRM are set aside. See https://www.w3.org/TR/epub-33/.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, cast
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from openhearth.data.schema import Quarantine, Row, document
from openhearth.data.sources.archives import Broken
from openhearth.data.sources.files import File
from openhearth.data.sources.markup import plain
from openhearth.data.sources.text import LARGEST, source_of
from openhearth.data.sources.xml import parse

LARGEST_PAGE = LARGEST_READ = 16 << 20  # bytes
PAGES = {"application/xhtml+xml", "text/html", "text/x-oeb1-document"}
CONTAINER, ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_ENCODING = re.compile(
    rb"(?:encoding|charset)=[\"']?"
    rb"(iso-8859-\d{1,2}|windows-125\d|shift_jis|gb2312|gbk|gb18030|big5|euc-(?:jp|kr)|koi8-r)",
    re.IGNORECASE,
)


def read(file: File, quarantine: Quarantine) -> Iterator[Row]:
    """The book as a document, unless it has no text that can be read."""
    try:
        with file.open_raw() as stream, zipfile.ZipFile(_careful(stream)) as archive:
            yield _book(archive, file.name, quarantine)
    except Broken as error:
        quarantine.add(f"not a book that can be read ({error})", file.name)


class _Careful:
    """A stream that reads no more at once than `LARGEST_READ`, such as a list of all files."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(LARGEST_READ + 1) if not 0 <= size <= LARGEST_READ else b""
        if len(data) > LARGEST_READ:
            raise OSError(f"more than {LARGEST_READ >> 20} MiB would be read at once")
        return data or self._stream.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _careful(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, _Careful(stream))


def _book(archive: zipfile.ZipFile, name: str, quarantine: Quarantine) -> Row:
    opf = _package_path(archive)
    package = parse(_content(archive, opf))
    encrypted = _encrypted(archive)
    chapters = []
    size = 0
    for path in _spine(package, posixpath.dirname(opf)):
        if path in encrypted:
            raise ValueError("it is encrypted")
        try:
            chapter = plain(_decoded(_content(archive, path)))
        except Broken as error:
            quarantine.add(f"a chapter that cannot be read ({error})", f"{name}/{path}")
            continue
        size += len(chapter)
        if size > LARGEST:
            raise ValueError(f"its text is larger than {LARGEST >> 20} Mi characters")
        chapters += [chapter] if chapter else []
    if not chapters:
        raise ValueError("it has no text")
    return _row("\n\n".join(chapters), package, name)


def _content(archive: zipfile.ZipFile, path: str) -> bytes:
    if path not in archive.NameToInfo:
        raise ValueError(f"there is no {path[:80]}")
    with archive.open(path) as stream:
        data = stream.read(LARGEST_PAGE + 1)
    if len(data) > LARGEST_PAGE:
        raise ValueError(f"larger than {LARGEST_PAGE >> 20} MiB")
    return data


def _package_path(archive: zipfile.ZipFile) -> str:
    container = parse(_content(archive, CONTAINER))
    root = next(container.iter("rootfile"), None)
    if root is None:
        raise ValueError("it names no package")
    return root.get("full-path", "")


def _encrypted(archive: zipfile.ZipFile) -> set[str]:
    """The files that only some software may open; fonts are often among them."""
    if ENCRYPTION not in archive.NameToInfo:
        return set()
    references = parse(_content(archive, ENCRYPTION)).iter("CipherReference")
    return {unquote(reference.get("URI", "")) for reference in references}


def _spine(package: Element, folder: str) -> Iterator[str]:
    """The paths of the chapters, in the order in which they are read."""
    items = {item.get("id"): item for item in package.iterfind("manifest/item")}
    for reference in package.iterfind("spine/itemref"):
        item = items.get(reference.get("idref"))
        if (
            item is not None
            and reference.get("linear") != "no"
            and item.get("media-type") in PAGES
            and "nav" not in item.get("properties", "").split()
        ):
            href = unquote(item.get("href", "").partition("#")[0])
            yield posixpath.normpath(posixpath.join(folder, href))


def _decoded(page: bytes) -> str:
    if page.startswith((b"\xff\xfe", b"\xfe\xff")):
        return page.decode("utf-16")
    try:
        return page.decode("utf-8-sig")
    except UnicodeDecodeError:
        said = _ENCODING.search(page, 0, 1024)
        if not said:
            raise
        return page.decode(said[1].decode())


def _row(text: str, package: Element, name: str) -> Row:
    metadata = package.find("metadata")
    fields: dict[str, list[str]] = {}
    for element in metadata.iter() if metadata is not None else ():
        if value := " ".join((element.text or "").split()):
            fields.setdefault(element.tag, []).append(value)
    about = {
        "title": " ".join(fields.get("title", [])[:1]),
        "identifier": fields.get("identifier", []),
        "publisher": ", ".join(fields.get("publisher", [])),
        "subjects": fields.get("subject", []),
    }
    terms = (" ".join(fields.get("rights", [])), ", ".join(fields.get("creator", [])))
    known = {key: value for key, value in about.items() if value}
    return {
        **document(name, text, source_of(name), terms=terms, **known),
        "lang": " ".join(fields.get("language", [])[:1]),
        "created": " ".join(fields.get("date", [])[:1]),
    }
