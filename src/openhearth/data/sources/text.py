"""Plain text and Markdown: one document a file."""

from __future__ import annotations

from collections.abc import Iterator

from openhearth.data.schema import Quarantine, Row, document
from openhearth.data.sources.files import Errors, File

LARGEST = 64 << 20  # bytes of one file


def read(file: File, quarantine: Quarantine) -> Iterator[Row]:
    """The file as a document, unless it is none."""
    text = read_text(file, quarantine)
    if text is not None:
        yield document(file.name, text, source_of(file.name))


def read_text(file: File, quarantine: Quarantine) -> str | None:
    """The text of a file, or None if it was set aside."""
    data = read_bytes(file, quarantine)
    if data is None:
        return None
    if not data.strip():
        quarantine.add("empty", file.name)
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        quarantine.add("not UTF-8 text", file.name, error.start)
        return None
    if "\0" in text:
        quarantine.add("binary", file.name, data.index(b"\0"))
        return None
    return text


def read_bytes(file: File, quarantine: Quarantine) -> bytes | None:
    """The bytes of a file, or None if it was set aside."""
    try:
        with file.open() as stream:
            data = stream.read(LARGEST + 1)
    except Errors as error:
        quarantine.add(f"unreadable ({error})", file.name)
        return None
    if len(data) > LARGEST:
        quarantine.add(f"larger than {LARGEST >> 20} MiB", file.name)
        return None
    return data


def source_of(name: str) -> str:
    """What a file's documents count as: the folder at the top that it lies in, or itself."""
    return name.partition("/")[0]
