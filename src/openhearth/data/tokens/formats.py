"""JSONL files for fine-tuning, in the formats that the OpenAI and Together APIs take.

    messages    {"messages": [{"role", "content", "weight"?}, …], "tools"?}
    prompt      {"prompt", "completion"}
    text        {"text"}
    preference  {"input": {"messages"}, "preferred_output", "non_preferred_output"}
    chosen      {"prompt", "chosen", "rejected"}, each a text or a list of messages
    pairs       {"anchor", "positive", "negative"?}

A content is a text, or a list of parts that are; the assistant may call tools. A file has one
format; its lines are checked one by one, and what is wrong is said with its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import orjson

from openhearth.data.tokens.turns import turn
from openhearth.errors import NotFound, UsageError

FORMATS: dict[str, tuple[str, ...]] = {
    "messages": ("messages",),
    "prompt": ("prompt", "completion"),
    "preference": ("input", "preferred_output", "non_preferred_output"),
    "chosen": ("prompt", "chosen", "rejected"),
    "pairs": ("anchor", "positive"),
    "text": ("text",),
}
ROLES = ("system", "developer", "user", "assistant", "tool")
Row = dict[str, Any]


def read_rows(path: Path) -> Iterator[tuple[int, str, Row]]:
    """Each line's number, from 1, its format, and its fields; empty lines are passed over.

    Raises:
        NotFound: there is no such file.
        UsageError: a line is no JSON object, of no format or of another one than the first, or a
            field of it is wrong.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {path}: check its name.")
    first: tuple[int, str] | None = None
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            row = _parse(path, number, line)
            name = format_of(row)
            if name is None:
                _wrong(path, number, f"has the fields {', '.join(row) or 'of nothing'}", _KNOWN)
            first = first or (number, name)
            if name != first[1]:
                _wrong(
                    path,
                    number,
                    f"is of the format `{name}`, but line {first[0]} is of `{first[1]}`",
                    "a file has one format, so split it",
                )
            _check(path, number, name, row)
            yield number, name, row


def format_of(row: Mapping[str, Any]) -> str | None:
    """The format whose fields a row has, if it has those of one."""
    return next((name for name, keys in FORMATS.items() if row.keys() >= set(keys)), None)


_KNOWN = "use " + ", or ".join(" with ".join(f"`{k}`" for k in keys) for keys in FORMATS.values())


def _parse(path: Path, number: int, line: bytes) -> Row:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        _wrong(path, number, f"is not JSON ({error})", "every line is one object")
    if not isinstance(row, dict):
        _wrong(path, number, f"is a {type(row).__name__}, no object", "every line is one object")
    return row


def _check(path: Path, number: int, name: str, row: Row) -> None:
    """Raises:
    UsageError: a field has a value of another kind than its format says.
    """
    if name in ("messages", "preference"):
        messages = row["messages"] if name == "messages" else _within(path, number, row["input"])
        _check_messages(path, number, messages)
        if name == "messages" and not any(m["role"] == "assistant" for m in messages):
            _wrong(path, number, "has no message of the assistant", "there is nothing to learn")
        for side in FORMATS["preference"][1:] if name == "preference" else ():
            _check_messages(path, number, row[side])
        return
    for key in (*FORMATS[name], *(k for k in ("negative",) if name == "pairs" and k in row)):
        if name == "chosen" and isinstance(row[key], list):
            _check_messages(path, number, row[key])
        elif not isinstance(row[key], str):
            _wrong(path, number, f"has a {type(row[key]).__name__} as `{key}`", "it must be text")


def _within(path: Path, number: int, value: Any) -> Any:
    if not isinstance(value, dict) or "messages" not in value:
        _wrong(path, number, "has an `input` without `messages`", "put the conversation there")
    return value["messages"]


def _check_messages(path: Path, number: int, messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        _wrong(path, number, "has no list of messages where one belongs", "give at least one")
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            _wrong(path, number, "has a message without a role", f"use one of {', '.join(ROLES)}")
        if message.get("content") is None and not message.get("tool_calls"):
            _wrong(path, number, "has a message without content", "give it as text")
        try:
            turn(message)
        except ValueError as error:
            _wrong(path, number, f"has {error}", "write it as the chat API takes it")
        if message.get("weight", 1) not in (0, 1):
            _wrong(path, number, f"has a weight of {message['weight']}", "it may be 0 or 1")


def _wrong(path: Path, number: int, what: str, remedy: str) -> NoReturn:
    raise UsageError(f"Line {number} of {path.name} {what}: {remedy}.")
