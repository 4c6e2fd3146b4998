"""What sees to it that sequences are answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from openhearth.inference.sequence import Sequence
from openhearth.inference.stream import Stream

T = TypeVar("T")


class Runner(Protocol):
    """A `Loop` here, a `Relay` elsewhere."""

    def stream(self) -> Stream:
        """A stream for a sequence."""

    def submit(self, lane: Any, sequence: Sequence) -> None:
        """Queue a sequence in a lane."""

    def call(self, function: Callable[[], T]) -> T:
        """What `function` returns or raises, called where the lanes can be used."""

    def close(self) -> None:
        """End; what runs or waits ends as cancelled."""
