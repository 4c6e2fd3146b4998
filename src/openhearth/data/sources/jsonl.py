"""JSON lines, plain, `.gz` or `.zst`: one record a line, broken ones set aside.

A record has `text` (or `content`), or `messages`, the last of them the assistant's.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard, cast

import orjson
import zstandard

from openhearth.data.schema import Quarantine, document
from openhearth.data.sources import text as prose

LONGEST_LINE = 16 << 20  # bytes
FIELDS = ("source", "url", "created", "lang", "license", "creator")
SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson")


def documents(path: Path, name: str, quarantine: Quarantine) -> Iterator[dict[str, Any]]:
    """The records of a file as documents; without a `source`, the file's name is theirs."""
    try:
        with _open(path) as file:
            number = 0
            while line := file.readline(LONGEST_LINE):
                number += 1
                if line.strip():
                    yield from _record(line, f"{name}:{number}", name, quarantine)
    except (OSError, EOFError, zstandard.ZstdError) as error:
        quarantine.add(f"cannot be read further ({error})", name)


def _open(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path))
    if path.suffix == ".zst":
        raw = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), closefd=True)
        return cast(BinaryIO, io.BufferedReader(cast(Any, raw)))
    return path.open("rb")


def _record(line: bytes, where: str, name: str, quarantine: Quarantine) -> Iterator[dict[str, Any]]:
    try:
        record = orjson.loads(line)
    except ValueError:
        quarantine.add("not JSON", where)
        return
    if not isinstance(record, dict):
        quarantine.add("not a JSON object", where)
        return
    identity = str(record.get("id", where))
    given = {f: str(record[f]) for f in FIELDS if record.get(f) is not None}
    text, messages = record.get("text", record.get("content")), record.get("messages")
    if conversation(messages):
        shown = "\n\n".join(m["content"] for m in reversed(messages))
        yield document(identity, shown, name, messages=messages) | given
    elif isinstance(text, str) and text.strip():
        rows = list(prose.documents(text, identity, name))
        yield from (row | given for row in rows or [document(identity, text, name) | given])
    else:
        quarantine.add("no text or messages", where)


def conversation(messages: Any) -> TypeGuard[list[dict[str, str]]]:
    """Whether these are turns of text, the last one the assistant's."""
    return (
        isinstance(messages, list)
        and len(messages) > 1
        and all(isinstance(m, dict) and isinstance(m.get("content"), str) for m in messages)
        and all(m.get("role") in ("system", "user", "assistant") for m in messages)
        and messages[-1]["role"] == "assistant"
    )
