"""Server-sent events from a server that is not ours: bytes in, the data of each event out.

As the WHATWG describes them, whatever the pieces in which the bytes come; only data is of interest.
What is held at any moment is bounded, since a stranger sends it.
"""

from __future__ import annotations

import re

LONGEST = 2**20  # bytes of an event or a comment
LINE_END = re.compile(rb"\r\n|\n|\r")


class TooLong(ValueError):
    """An event is larger than any that could be meant."""


class EventParser:
    """Feed it the bytes of one stream in their order."""

    def __init__(self) -> None:
        self._line: list[bytes] = []  # the pieces of the line that has not ended yet
        self._data: list[bytes] = []  # the lines of the event that has not ended yet
        self._held = 0  # bytes of both
        self._ended_by_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that are whole now; those without any are passed over.

        Raises:
            TooLong: more than LONGEST bytes came without an end.
        """
        if chunk and self._ended_by_cr:
            chunk, self._ended_by_cr = chunk.removeprefix(b"\n"), False
        self._ended_by_cr = self._ended_by_cr or chunk.endswith(b"\r")
        first, *others = LINE_END.split(chunk)
        self._hold(first)
        events = []
        for piece in others:
            events += self._end_line()
            self._hold(piece)
        return events

    def _hold(self, piece: bytes) -> None:
        self._line.append(piece)
        self._held += len(piece)
        if self._held > LONGEST:
            raise TooLong(f"more than {LONGEST} bytes without the end of an event")

    def _end_line(self) -> list[bytes]:
        line = b"".join(self._line)
        self._line.clear()
        if not line:
            data = b"\n".join(self._data)
            self._data.clear()
            self._held = 0
            return [data] if data else []
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        else:
            self._held -= len(line)
        return []
