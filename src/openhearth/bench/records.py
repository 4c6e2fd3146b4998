"""What is asked of a server and what came back: the raw records that every figure is made from.

Times are seconds since the load began, on the clock of whoever sent. A record keeps every chunk as
it came; what a figure needs beyond that (tokens, waits) is computed from it, so that anybody can
compute it again (rules 52 and 53).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from openhearth.errors import UsageError

Route = Literal["chat/completions", "completions", "embeddings"]


class Failure(StrEnum):
    """How a request can end if not well (rule 28)."""

    ADDRESS = "address"  # the name does not resolve, or nobody listens
    CERTIFICATE = "certificate"
    CONNECTION = "connection"  # it broke off before the answer began
    TIMEOUT = "timeout"
    KEY = "key"  # 401, 403
    RATE_LIMIT = "rate_limit"  # 429
    REFUSED = "refused"  # another 4xx
    SERVER = "server"  # 5xx
    REDIRECT = "redirect"  # 3xx, which are not followed
    NOT_STREAMING = "not_streaming"  # an answer in one piece, though a stream was asked for
    MALFORMED = "malformed"  # not HTTP, not events, or not JSON
    ERROR_EVENT = "error_event"  # the stream said that something went wrong
    CUT = "cut"  # the stream ended before it was over
    EMPTY = "empty"  # it was over without content
    TOO_LARGE = "too_large"  # more bytes than a client can be asked to hold
    BROKEN_OFF = "broken_off"  # by us: the run was interrupted


class Part(StrEnum):
    """Of what kind the text of a chunk is."""

    TEXT = "text"
    THOUGHT = "thought"
    TOOL_CALL = "tool_call"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Content that came at one time."""

    at: float
    text: str
    part: Part = Part.TEXT


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, as it is due.

    `body` is what is sent, but for the model's name and whether to stream. `at` is when it is due;
    in a later turn of a conversation, whose number of the turn before is `after`, it is the pause
    after that one's end, and the body has only the new messages: the conversation so far goes
    before them. `hang_up` is the number of chunks after which the client has had enough.
    `check` says what is right about the answer, and is never sent.
    """

    number: int
    workload: str
    route: Route
    body: dict[str, Any]
    at: float = 0.0
    after: int | None = None
    hang_up: int | None = None
    check: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Record:
    """What became of an `Ask`. Usage and log-probabilities are as the server told them.

    `logprobs` is the list of `choices[].logprobs.content` of chat completions: `{token, bytes,
    logprob, top_logprobs}` a token.
    """

    number: int
    workload: str
    route: Route
    request: dict[str, Any]
    due: float
    check: dict[str, Any] = field(default_factory=dict)
    point: int = 0  # of those that the disclosure lists
    process: int = 0  # of the load generator
    sent: float | None = None  # or when we began to connect for it
    connect_s: float | None = None  # None on a connection that was open
    began: float | None = None  # the first byte of the answer
    ended: float | None = None
    status: int | None = None
    chunks: list[Chunk] = field(default_factory=list)
    events: int = 0  # of the stream, empty ones included
    finish: str | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    seen_model: str | None = None  # which model the server says has answered
    hung_up: bool = False  # by us, as planned
    failure: Failure | None = None
    detail: str = ""  # of the failure, in the server's words or ours; never a key

    @property
    def output(self) -> str:
        """All that the model made, in the order in which it came."""
        return "".join(chunk.text for chunk in self.chunks)

    @property
    def text(self) -> str:
        """The answer, without thoughts and tool calls."""
        return self._of(Part.TEXT)

    @property
    def calls(self) -> list[tuple[str, str]]:
        """The tool calls: name and arguments. In chunks a name goes before its arguments, and each
        call but the first begins a line; arguments that are no JSON reach to the end.
        """
        found, left = [], self._of(Part.TOOL_CALL)
        while left:
            begin = left.find("{") if "{" in left else len(left)
            try:
                _, end = json.JSONDecoder().raw_decode(left, begin)
            except (ValueError, RecursionError):
                end = len(left)
            found.append((left[:begin].strip(), left[begin:end]))
            left = left[end:].lstrip()
        return found

    def _of(self, part: Part) -> str:
        return "".join(chunk.text for chunk in self.chunks if chunk.part is part)


CHUNK = pa.struct([("at", pa.float64()), ("text", pa.string()), ("part", pa.string())])
JSON_COLUMNS = ("request", "check", "logprobs")
SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("workload", pa.string()),
        ("route", pa.string()),
        ("request", pa.string()),
        ("due", pa.float64()),
        ("check", pa.string()),
        ("point", pa.int32()),
        ("process", pa.int32()),
        ("sent", pa.float64()),
        ("connect_s", pa.float64()),
        ("began", pa.float64()),
        ("ended", pa.float64()),
        ("status", pa.int32()),
        ("chunks", pa.list_(CHUNK)),
        ("events", pa.int64()),
        ("finish", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("logprobs", pa.string()),
        ("seen_model", pa.string()),
        ("hung_up", pa.bool_()),
        ("failure", pa.string()),
        ("detail", pa.string()),
    ]
)
ROWS = 256  # that are read at once
MOST_BYTES = 2 * 2**30  # of the records of a report, in memory
assert SCHEMA.names == [one.name for one in fields(Record)]


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write them as Parquet, in the order of their points and numbers."""
    ordered = sorted(records, key=lambda record: (record.point, record.number))
    rows = [_row(record) for record in ordered]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path, compression="zstd")


def read_records(path: Path) -> list[Record]:
    """The records of a file, which may be a stranger's: it is read in pieces, as a small file can
    say a thing a million times.

    Raises:
        UsageError: it is none, has other columns, or comes to more than `MOST_BYTES`.
    """
    records: list[Record] = []
    size = 0
    try:
        with pq.ParquetFile(path, memory_map=False) as file:
            for batch in file.iter_batches(ROWS):
                size += batch.nbytes
                if size > MOST_BYTES:
                    raise ValueError(f"more than {MOST_BYTES // 2**20:,} MiB")
                rows = batch.select(SCHEMA.names).cast(SCHEMA)
                records += [_record(row) for row in rows.to_pylist()]
        return records
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
        raise UsageError(f"{path} holds no records of requests ({error}).") from error


def _row(record: Record) -> dict[str, Any]:
    row = asdict(record)
    return row | {name: json.dumps(row[name], ensure_ascii=False) for name in JSON_COLUMNS}


def _record(row: dict[str, Any]) -> Record:
    row |= {name: json.loads(row[name]) for name in JSON_COLUMNS}
    row["chunks"] = [
        Chunk(chunk["at"], chunk["text"], Part(chunk["part"])) for chunk in row["chunks"]
    ]
    row["failure"] = Failure(row["failure"]) if row["failure"] is not None else None
    return Record(**row)


def well(records: Sequence[Record]) -> list[Record]:
    """Those that ended well, or were given up as planned."""
    return [record for record in records if record.failure is None]
