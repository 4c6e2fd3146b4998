"""JSON lines: whatever the tools of the field write, one record a line, broken ones set aside.

Read are our own fields, Dolma documents (`added`, `metadata`), datatrove's (`metadata`, `media`),
RedPajama-V1 slices (`meta`), RedPajama-V2 and CCNet documents (`raw_content`, `date_download`, …),
and chats (`messages`). What has no column of its own stays in `metadata`, so that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

import orjson
import pyarrow as pa

from openhearth.data.schema import ALIASES, BLOCK_BYTES, FIELDS, TERMS, Quarantine, Row, to_batch
from openhearth.data.sources.files import Errors, File

LONGEST_LINE = 64 << 20  # bytes
STEP_BYTES = 64 << 10  # read at once; where a file breaks, so much may be lost
READS_BLOCKS = True
TEXT = ("text", "raw_content", "content")


def read(file: File, quarantine: Quarantine) -> Iterator[Lines]:
    """The lines of a file, a block at a time."""
    try:
        with file.open() as stream:
            yield from _blocks(stream, file.name, quarantine)
    except Errors as error:
        quarantine.add(f"cannot be read further ({error})", file.name)


def _blocks(stream: Any, name: str, quarantine: Quarantine) -> Iterator[Lines]:
    offset = line = 0  # where the next block begins
    held = b""
    pieces = _pieces(stream)
    for data in pieces:
        held += data
        end = held.rfind(b"\n") + 1
        if end:
            yield Lines(name, offset, line, held[:end])
            offset += end
            line += held.count(b"\n", 0, end)
            held = held[end:]
        elif len(held) > LONGEST_LINE:
            quarantine.add(f"a line longer than {LONGEST_LINE >> 20} MiB", name, offset)
            skipped, rest = _skip_line(pieces)
            offset += len(held) + skipped
            line += 1
            held = rest
    if held:
        yield Lines(name, offset, line, held)


def _pieces(stream: Any) -> Iterator[bytes]:
    """What a stream gives, some megabytes at a time; where it breaks, first what came before."""
    held = bytearray()
    try:
        while data := stream.read(STEP_BYTES):
            held += data
            if len(held) >= BLOCK_BYTES:
                yield bytes(held)
                held.clear()
    except Errors:
        yield bytes(held)
        raise
    yield bytes(held)


def _skip_line(pieces: Iterator[bytes]) -> tuple[int, bytes]:
    """Read on to the end of a line; how many bytes that were, and what was read after it."""
    skipped = 0
    for data in pieces:
        end = data.find(b"\n") + 1
        if end:
            return skipped + end, data[end:]
        skipped += len(data)
    return skipped, b""


@dataclass(frozen=True)
class Lines:
    """Whole lines of a file: from which byte and which line on, counted from 0."""

    file: str
    offset: int
    line: int
    data: bytes

    def batch(self, quarantine: Quarantine) -> pa.RecordBatch:
        """The documents that the lines are."""
        rows = []
        offset = self.offset
        for number, line in enumerate(self.data.split(b"\n"), self.line):
            if line.strip():
                row = self._row(line, offset, number, quarantine)
                rows += [] if row is None else [row]
            offset += len(line) + 1
        return to_batch(rows, quarantine)

    def _row(self, line: bytes, offset: int, number: int, quarantine: Quarantine) -> Row | None:
        try:
            record = orjson.loads(line)
        except ValueError:
            reason = "not JSON" if _is_utf8(line) else "not UTF-8"
            quarantine.add(reason, self.file, offset)
            return None
        if not isinstance(record, dict):
            quarantine.add("not a JSON object", self.file, offset)
            return None
        row = to_row(record, f"{self.file}/{number}", self.file)
        if row is None:
            quarantine.add("no text", self.file, offset)
        return row


def to_row(record: dict[str, Any], identity: str, source: str) -> Row | None:
    """A record of any of these forms as a row; None if it has no text."""
    rest = dict(record)
    messages = rest.get("messages")
    text = next((rest.pop(name) for name in TEXT if isinstance(rest.get(name), str)), None)
    if is_conversation(messages):
        text = "\n\n".join(m["content"] for m in reversed(messages)) if text is None else text
    if text is None:
        return None
    row: Row = {"id": identity, "text": text}
    for name in list(rest):
        column = ALIASES.get(name, name)
        if column in FIELDS and column not in ("text", "metadata"):
            value = rest[name]
            if isinstance(value, str | int) and not (name != column and column in rest):
                row[column] = str(rest.pop(name))
    inner = rest.pop("metadata", None)
    metadata = inner if isinstance(inner, dict) else {} if inner is None else {"metadata": inner}
    for known in (metadata, rest.get("meta")):
        _fill(row, known if isinstance(known, dict) else {})
    row.setdefault("source", source)
    row["metadata"] = orjson.dumps(metadata | rest, option=orjson.OPT_SORT_KEYS).decode()
    return row


def _fill(row: Row, metadata: dict[str, Any]) -> None:
    """Columns that only the metadata knows, which keeps them too."""
    for name, value in metadata.items():
        column = ALIASES.get(name, name)
        if column in TERMS and isinstance(value, str) and value:
            row.setdefault(column, value)


def is_conversation(messages: Any) -> TypeGuard[list[dict[str, str]]]:
    """Whether these are turns of text, the last one the assistant's."""
    return (
        isinstance(messages, list)
        and len(messages) > 1
        and all(isinstance(m, dict) and isinstance(m.get("content"), str) for m in messages)
        and all(m.get("role") in ("system", "user", "assistant") for m in messages)
        and messages[-1]["role"] == "assistant"
    )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
