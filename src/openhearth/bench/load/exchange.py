"""One request under way: what was sent when, and what came back when, as bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from openhearth.bench.load.wire import Reader
from openhearth.bench.records import Ask, Failure

LARGEST = 64 * 2**20  # bytes of an answer


@dataclass(slots=True)
class Exchange:
    """Times are those of CLOCK_MONOTONIC. `request` is the body but for model and streaming."""

    ask: Ask
    due: float
    request: dict[str, Any]
    payload: bytes = b""  # until it is sent
    sent: float | None = None
    connect_s: float | None = None
    began: float | None = None
    last: float = 0.0  # sign of life
    ended: float | None = None
    status: int | None = None
    fields: dict[bytes, bytes] = field(default_factory=dict)  # of the head, those that explain
    noted: list[tuple[float, bytes]] = field(default_factory=list)  # of the body
    size: int = 0  # bytes that came
    whole: bool = False  # the response came to its end
    hung_up: bool = False
    failure: Failure | None = None  # what kept it from being read
    detail: str = ""
    reader: Reader | None = None

    def fail(self, failure: Failure, detail: str) -> None:
        """Tell why nothing more comes; the first reason counts."""
        if self.failure is None:
            self.failure, self.detail = failure, detail

    def live(self) -> None:
        """Read what comes as it comes, for one who hangs up in the middle."""
        self.reader = Reader(self.ask.route)

    def read(self) -> Reader:
        """What came, read; the bytes are let go of."""
        if self.reader is None:
            self.reader = Reader(self.ask.route)
            for at, data in self.noted:
                self.reader.feed(at, data)
        if self.ended is not None:
            self.reader.end(self.ended, whole=self.whole)
            self.noted = []
        return self.reader
