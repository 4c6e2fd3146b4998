"""What a server said, from the bytes of its answer and the times at which they came.

Reads the event streams of chat and completions, and answers in one piece. It does not fail:
whatever is wrong with the bytes is said by `failure` and `detail`, and what was right before it is
kept. How the bytes were cut has no influence but on times (rule 20).
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from openhearth.bench.load.delta import Said, take, take_vectors
from openhearth.bench.records import Failure, Route

FIELD = re.compile(rb"[a-z-]*:|data$")  # or a comment
EXCERPT = 200  # characters of what could not be read


class Reader(Said):
    """Feed it the pieces of a body, in order, and end it."""

    def __init__(self, route: Route) -> None:
        super().__init__()
        self._route = route
        self._rest = bytearray()  # of a line, or all of an answer that is no stream
        self._data: list[bytes] = []  # of an event
        self._kind = b""
        self._streams: bool | None = None  # not yet known
        self._ended = False

    def feed(self, at: float, data: bytes) -> None:
        """The next bytes, which came at that time."""
        if self._streams is None:
            data = self._begin(data)
        if not self._streams:
            self._rest += data
            return
        end = len(data) - data.endswith(b"\r")  # of which a line feed may be the other half
        cut = max(data.rfind(b"\n", 0, end), data.rfind(b"\r", 0, end)) + 1
        if cut:
            lines = bytes(self._rest) + data[:cut] if self._rest else data[:cut]
            self._rest = bytearray(data[cut:])
            self._lines(at, lines)
        else:
            self._rest += data

    def end(self, at: float, *, whole: bool) -> None:
        """Nothing more comes. `whole`: the response came to its end, and was not broken off."""
        if self._ended:
            return
        self._ended = True
        if self._streams and whole:
            self._lines(at, bytes(self._rest) + b"\n\n")
        elif whole:
            self._answer(at, bytes(self._rest).strip())
        self._rest.clear()

    def _begin(self, data: bytes) -> bytes:
        """Find out by its first character whether this is a stream."""
        data = bytes(self._rest + data)
        self._rest.clear()
        start = data.removeprefix(b"\xef\xbb\xbf").lstrip()
        if start and start not in (b"\xef", b"\xef\xbb"):  # a part of the mark of UTF-8
            self._streams = start[:1] not in b'{[<"' and self._route != "embeddings"
            return start if self._streams else data
        return data

    def _lines(self, at: float, text: bytes) -> None:
        """Whole lines of a stream: fields of events, comments, and the ends of events."""
        for line in text.splitlines():
            if self.over or self.failure is not None:
                return
            if not line:
                self._dispatch(at)
            elif line.startswith(b"data:"):
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif line.startswith(b"event:"):
                self._kind = line[6:].strip()
            elif not FIELD.match(line):
                self.fail(Failure.MALFORMED, f"the stream has the line {_excerpt(line)}")

    def _dispatch(self, at: float) -> None:
        data, kind = b"\n".join(self._data).strip(), self._kind
        self._data, self._kind = [], b""
        if data == b"[DONE]":
            self.over = True
        elif data:
            self.events += 1
            self._value(at, data, kind)

    def _value(self, at: float, data: bytes, kind: bytes = b"") -> None:
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            self.fail(Failure.MALFORMED, f"{_excerpt(data)} is not JSON ({error})")
            return
        if message := _error(value, kind):
            self.fail(Failure.ERROR_EVENT, message)
            return
        try:
            (take_vectors if self._route == "embeddings" else take)(self, at, value)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            self.fail(Failure.MALFORMED, f"{_excerpt(data)} is not of the API's form ({error})")

    def _answer(self, at: float, data: bytes) -> None:
        """An answer in one piece."""
        if not data:
            return
        self._value(at, data)
        self.over = True
        if self._route != "embeddings":
            self.fail(Failure.NOT_STREAMING, "the answer came in one piece: a stream was asked for")


def _error(value: Any, kind: bytes) -> str:
    """What an event says went wrong, if it does."""
    error = value.get("error") if isinstance(value, dict) else None
    if not error and kind != b"error":
        return ""
    message = error.get("message") if isinstance(error, dict) else error
    return f"the server says: {message or value}"[:EXCERPT]


def _excerpt(data: bytes) -> str:
    text = data[:EXCERPT].decode(errors="replace")
    return repr(text) + "…" * (len(data) > EXCERPT)
