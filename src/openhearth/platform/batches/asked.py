"""The body of `POST /v1/batches`, in both dialects at once, and the lines that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from openhearth.errors import UsageError
from openhearth.platform.errors import bad_request

ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses")
WINDOW = re.compile(r"([1-9][0-9]{0,3})([mhd])")
SECONDS = {"m": 60, "h": 3600, "d": 86400}
LONGEST = 7 * 86400  # seconds that a batch may wait
Key = Annotated[str, StringConstraints(max_length=64)]
Value = Annotated[str, StringConstraints(max_length=512)]


class BatchRequest(BaseModel):
    """`model_id` and `priority` are Together's, `metadata` is OpenAI's."""

    model_config = ConfigDict(
        extra="forbid",
        protected_namespaces=(),
        json_schema_extra={
            "examples": [
                {
                    "input_file_id": "file-0",
                    "endpoint": "/v1/chat/completions",
                    "completion_window": "24h",
                }
            ]
        },
    )

    input_file_id: str
    endpoint: str
    completion_window: str = "24h"
    metadata: Annotated[dict[Key, Value], Field(max_length=16)] | None = None
    model_id: Annotated[str, StringConstraints(max_length=256)] | None = None
    priority: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None
    output_expires_after: dict[str, Any] | None = None

    def check(self) -> None:
        """Raise a 400 for what is not served."""
        if self.endpoint not in ENDPOINTS:
            message = f"endpoint is none of {', '.join(ENDPOINTS)}: choose one of these."
            raise bad_request(message, "endpoint")
        if self.output_expires_after is not None:
            message = "output_expires_after is not supported: files stay until they are deleted."
            raise bad_request(message, "output_expires_after", "unsupported_parameter")
        self.seconds()

    def seconds(self) -> int:
        """How long the batch may take.

        Raises:
            ApiError: 400, `completion_window` is no such time.
        """
        match = WINDOW.fullmatch(self.completion_window)
        seconds = int(match[1]) * SECONDS[match[2]] if match else 0
        if not 0 < seconds <= LONGEST:
            message = "completion_window is a time such as 24h or 30m, and at most 7d."
            raise bad_request(message, "completion_window")
        return seconds


@dataclass(frozen=True)
class Line:
    """A request of a batch; `number` is its line in the file, from 1."""

    number: int
    custom_id: str
    url: str | None
    body: dict[str, Any]


def lines_of(path: Path) -> Iterator[Line]:
    """The lines of a file that was checked when it came.

    Raises:
        UsageError: it is gone.
    """
    if not path.exists():
        raise UsageError("Its input file was deleted before the batch could read it.")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                row = orjson.loads(line)
                yield Line(number, row["custom_id"], row.get("url"), row["body"])


def check_lines(path: Path, asked: BatchRequest) -> int:
    """How many lines there are.

    Raises:
        ApiError: 400, a line is not for the endpoint, names no model, or wants to stream.
    """
    count = 0
    for line in lines_of(path):
        count += 1
        wrong = None
        if line.url not in (None, asked.endpoint):
            wrong = f"is for {line.url}, but the batch for {asked.endpoint}: put it into another"
        elif not isinstance(line.body.get("model", asked.model_id), str):
            wrong = "names no model in its body: add one"
        elif line.body.get("stream"):
            wrong = "wants to stream, which a batch cannot: leave `stream` out"
        if wrong is not None:
            message = f"Line {line.number} of the input file {wrong}."
            raise bad_request(message, "input_file_id", "invalid_line")
    return count
