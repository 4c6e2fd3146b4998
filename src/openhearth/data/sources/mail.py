"""Mail: mbox files of any size, messages (`.eml`), and the files of a maildir if asked for `mail`.

A message is a document that begins with its subject. Its text is the first `text/plain` part, or
else HTML; attachments are dropped, and so is a signature (what follows the last line `-- `,
RFC 3676), which comes again with every message and is mostly addresses. Quoted `>From ` lines are
restored as in mboxrd. Text that is not in the charset that it says is taken as UTF-8 if it is
that; if not, the message is set aside. `creator` is the sender's name, never the address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any, BinaryIO

import pyarrow as pa

from openhearth.data.schema import Quarantine, Row, blocks, document, to_batch
from openhearth.data.sources.files import Errors, File
from openhearth.data.sources.html import main_text
from openhearth.data.sources.text import source_of

READS_BLOCKS = True
CHUNK = 1 << 20  # bytes
LARGEST = 32 << 20  # bytes of one message
LONGEST_HEADER = 8 << 10  # characters that are looked at: parsing takes the square of their time
MOST_WORK = 100_000_000  # lines, each times the parts that it may be the end of
# What the standard library's parser raises on messages that are none.
Broken = (
    MessageError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    RecursionError,
)
_SEPARATOR = re.compile(rb"From .*\d\d?:\d\d.*\d{4}")
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_SIGNATURE = "\n-- \n"
_BESIDE = re.compile(r"\(([^()]*)\)\s*$")  # jane@example.org (Jane Doe)
_ID = re.compile(r"<([^<>\s]+)>")
# What says that it is ASCII or Latin-1 is taken as browsers do: as Windows' superset of these.
_WESTERN = {"us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1"}
_NO_CHARSET = re.compile("escape|punycode|idna|undefined|utf.?7")  # which Python decodes as well


def read(file: File, quarantine: Quarantine) -> Iterator[Messages]:
    """The messages of a file, some at a time."""
    for block in blocks(_messages(file, quarantine)):
        yield Messages(file.name, block.rows)


def _messages(file: File, quarantine: Quarantine) -> Iterator[Row]:
    """Each message as it was written, and at which byte it begins."""
    try:
        with file.open() as stream:
            yield from _split(stream, file.name, quarantine)
    except Errors as error:
        quarantine.add(f"cannot be read further ({error})", file.name)


def _split(stream: BinaryIO, name: str, quarantine: Quarantine) -> Iterator[Row]:
    lines: list[bytes] = []
    size = offset = position = 0  # of this message, where it begins, and of the file
    is_mbox, after_blank = False, True
    for line in _lines(stream):
        is_blank = not line.strip()
        separates = after_blank and line.startswith(b"From ")
        if separates and (_SEPARATOR.match(line) if is_mbox else not size):
            if lines:
                yield _message(lines, is_mbox, offset)
            is_mbox, lines, size, offset = True, [], 0, position + len(line)
        elif size or not is_blank:
            size += len(line)
            lines.append(line)
            if size > LARGEST:
                lines.clear()
                if size - len(line) <= LARGEST:
                    quarantine.add(f"a message larger than {LARGEST >> 20} MiB", name, offset)
        else:
            offset = position + len(line)
        position += len(line)
        after_blank = is_blank
    if lines:
        yield _message(lines, is_mbox, offset)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines with their ends; one that is too long for a message comes in pieces."""
    held = b""
    while data := stream.read(CHUNK):
        *lines, held = (held + data).split(b"\n")
        for line in lines:
            yield line + b"\n"
        if len(held) > LARGEST:
            yield held
            held = b""
    if held:
        yield held


def _message(lines: list[bytes], is_mbox: bool, offset: int) -> Row:
    data = b"".join(lines)
    return {"text": _QUOTED.sub(rb"\1", data) if is_mbox else data, "offset": offset}


@dataclass(frozen=True)
class Messages:
    """Some messages of a file as they were written."""

    file: str
    messages: Sequence[Row]

    def batch(self, quarantine: Quarantine) -> pa.RecordBatch:
        """The messages as documents; those without text go to the quarantine."""
        rows = []
        for message in self.messages:
            data, offset = message["text"], message["offset"]
            try:
                rows.append(_row(data, f"{self.file}/{offset}", source_of(self.file)))
            except Broken as error:
                quarantine.add(_reason(error), self.file, offset)
        return to_batch(rows, quarantine)


def _reason(error: Exception) -> str:
    """Ours say it in words; the parser's own are mere accidents."""
    return str(error) if type(error) is ValueError else "not a message"


class _Policy(EmailPolicy):
    def header_fetch_parse(self, name: str, value: str) -> Any:
        return super().header_fetch_parse(name, value[:LONGEST_HEADER])


_POLICY = _Policy()


def _row(data: bytes, identity: str, source: str) -> Row:
    if data.lower().count(b"boundary") * data.count(b"\n") > MOST_WORK:
        raise ValueError("a message of too many parts")
    message = message_from_bytes(data, policy=_POLICY)
    assert isinstance(message, EmailMessage)
    if not message.keys():
        raise ValueError("a message without headers")
    subject = " ".join(_header(message, "subject").split())
    body = _body(message)
    if not body:
        raise ValueError("a message without text")
    about = {
        "subject": subject,
        "list_id": next(iter(_ids(message, "list-id")), _header(message, "list-id")),
        "in_reply_to": _ids(message, "in-reply-to"),
        "references": _ids(message, "references"),
    }
    identity = next(iter(_ids(message, "message-id")), identity)
    text = f"{subject}\n\n{body}" if subject else body
    terms = ("", _sender(message))
    known = {name: value for name, value in about.items() if value}
    return {**document(identity, text, source, terms=terms, **known), "created": _date(message)}


def _header(message: EmailMessage, name: str) -> str:
    """A header's value, its bytes that are no ASCII read as UTF-8 or else Windows-1252."""
    return _proper(str(message.get(name, "")))


def _proper(value: str) -> str:
    return _decoded(value.encode("utf-8", "surrogateescape"), "us-ascii")


def _ids(message: EmailMessage, name: str) -> list[str]:
    return _ID.findall(_header(message, name))


def _sender(message: EmailMessage) -> str:
    addresses = getattr(message["from"], "addresses", ())
    name = addresses[0].display_name if addresses else ""
    if not name:
        raw = next((value for key, value in message.raw_items() if key.lower() == "from"), "")
        beside = _BESIDE.search(raw[:LONGEST_HEADER])
        name = str(_POLICY.header_factory("subject", beside[1])) if beside else ""
    return "" if "@" in name else _proper(name)


def _date(message: EmailMessage) -> str:
    date = getattr(message["date"], "datetime", None)
    return date.isoformat() if date else ""


def _body(message: EmailMessage) -> str:
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        data = part.get_payload(decode=True) if part else None
        if part and isinstance(data, bytes):
            charset = str(part.get_content_charset("us-ascii"))
            is_plain = kind == "plain"
            text = _plain(data, charset) if is_plain else main_text(data, charset=charset)
            if text.strip():
                return text.strip()
    return ""


def _plain(data: bytes, charset: str) -> str:
    """Text without its signature."""
    text = _decoded(data, charset).replace("\r\n", "\n")
    before, mark, _ = f"\n{text}\n".rpartition(_SIGNATURE)
    return before if mark else text


def _decoded(data: bytes, charset: str) -> str:
    names = ("utf-8", "windows-1252") if charset in _WESTERN else (charset, "utf-8")
    for name in names:
        if not _NO_CHARSET.search(name):
            with suppress(UnicodeError, LookupError, ValueError):
                return data.decode(name)
    raise ValueError("text that is not in its charset")
