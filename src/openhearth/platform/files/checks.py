"""Files that will be read line by line are read so when they come: what is wrong is said with its
line, before anything depends on it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import orjson

from openhearth.data.tokens.formats import read_rows
from openhearth.errors import UsageError
from openhearth.platform.apart import Apart

LONGEST_LINE = 8 * 2**20  # bytes, so that no line fills the memory
DIRECTLY = 2**20  # bytes, which are checked sooner than they are handed over
MOST_REQUESTS = 50_000  # of a batch, as OpenAI has it
CUSTOM_ID = re.compile(r"[^\x00-\x1f\ud800-\udfff]{1,512}")


def check(path: Path, purpose: str) -> int | None:
    """How many lines a file has that is read line by line; None of all others.

    Raises:
        UsageError: the file is empty, or a line is not what the purpose needs.
    """
    if path.stat().st_size == 0:
        raise UsageError(f"{path.name} is empty: send a file that has something in it.")
    if purpose not in CHECKS:
        return None
    _bounded(path)
    count = CHECKS[purpose](path)
    if count == 0:
        raise UsageError(f"{path.name} has only empty lines: give at least one object.")
    return count


async def check_apart(apart: Apart, path: Path, purpose: str, owner: str) -> int | None:
    """The same, of what is large by a process apart. Raises also what `Apart.do` does."""
    size = path.stat().st_size
    if size <= DIRECTLY or purpose not in CHECKS:
        return await asyncio.to_thread(check, path, purpose)
    return int(await apart.do(counted, owner=owner, reads=size, path=str(path), purpose=purpose))


def counted(path: str, purpose: str) -> bytes:
    """What `check` finds in a file that is read line by line, for a process apart."""
    return str(check(Path(path), purpose)).encode()


def _bounded(path: Path) -> None:
    with path.open("rb") as file:
        number, length = 1, 0
        while part := file.readline(2**16):
            length += len(part)
            if length > LONGEST_LINE:
                _wrong(path, number, f"is longer than {LONGEST_LINE} bytes", "make it shorter")
            if part.endswith(b"\n"):
                number, length = number + 1, 0


def _examples(path: Path) -> int:
    return sum(1 for _ in read_rows(path))


def _requests(path: Path) -> int:
    """Of a batch: each with an id of its own, and a body."""
    lines_of: dict[str, int] = {}
    for number, row in _objects(path):
        name = row.get("custom_id")
        if not isinstance(name, str) or not CUSTOM_ID.fullmatch(name):
            _wrong(path, number, "has no `custom_id`", "give a text of 1 to 512 characters")
        if name in lines_of:
            _wrong(
                path,
                number,
                f"has the `custom_id` of line {lines_of[name]}",
                "give each line one of its own",
            )
        if not isinstance(row.get("body"), dict):
            _wrong(path, number, "has no `body`", "it is the request, an object")
        if row.get("method", "POST") != "POST":
            _wrong(path, number, "has a `method` that is not POST", "use that one")
        if not str(row.get("url", "/v1/")).startswith("/v1/"):
            _wrong(path, number, "has a `url` that does not begin with /v1/", "name a route")
        lines_of[name] = number
        if len(lines_of) > MOST_REQUESTS:
            _wrong(path, number, f"is more than the {MOST_REQUESTS}th request", "split the file")
    return len(lines_of)


def _rows(path: Path) -> int:
    return sum(1 for _ in _objects(path))


CHECKS: dict[str, Callable[[Path], int]] = {
    "fine-tune": _examples,
    "batch": _requests,
    "eval": _rows,
}


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                _wrong(path, number, f"is not JSON ({error})", "every line is one object")
            if not isinstance(row, dict):
                _wrong(path, number, f"is a {type(row).__name__}, no object", "write one there")
            yield number, row


def _wrong(path: Path, number: int, what: str, remedy: str) -> NoReturn:
    raise UsageError(f"Line {number} of {path.name} {what}: {remedy}.")
