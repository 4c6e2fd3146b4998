"""One request of a stub: what is written when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from openhearth.bench.stub.faults import CLOSING, SILENT, Step
from openhearth.bench.stub.truth import Fault


@dataclass
class Entry:
    """What a stub's log says of a request. Times are those of CLOCK_MONOTONIC."""

    number: int
    came: float
    route: str
    began: float | None = None
    writes: list[float] = field(default_factory=list)  # of events with content
    ended: float | None = None
    tokens: int = 0
    fault: Fault | None = None
    lied: bool = False
    stored: bool = False
    left: bool = False  # the client did


class Work:
    """Carries the steps out. Each is due so many seconds after the one before was, so that what
    timers are late by does not add up.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        entry: Entry,
        steps: Sequence[Step],
        content: range,
        over: Callable[[Work], Any],
    ) -> None:
        self._transport = transport
        self.entry = entry
        self._steps = steps
        self._content = content  # numbers of the steps that write some
        self._over = over
        self._place = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Now its time counts."""
        self._loop = asyncio.get_running_loop()
        self._due = self.entry.began = time.monotonic()
        self._go_on()

    def leave(self) -> None:
        """The client has gone."""
        if self.entry.ended is None:
            self.entry.left = True
            self._end()

    def _go_on(self) -> None:
        now = time.monotonic()
        while self._place < len(self._steps):
            delay, data = self._steps[self._place]
            if self._due + delay > now:
                self._timer = self._loop.call_later(self._due + delay - now, self._go_on)
                return
            self._due += delay
            self._transport.write(data)
            if self._place in self._content:
                self.entry.writes.append(time.monotonic())
            self._place += 1
        if self.entry.fault in CLOSING:
            self._transport.close()
        if self.entry.fault not in SILENT:
            self._end()

    def _end(self) -> None:
        self.entry.ended = time.monotonic()
        if self._timer is not None:
            self._timer.cancel()
        self._over(self)
