"""What jobs need of the bus: a question with an answer, and somebody who answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol


class Bus(Protocol):
    """A connection."""

    async def request(self, subject: str, data: bytes, timeout: float) -> bytes:
        """The answer.

        Raises:
            HearthError or OSError, of which TimeoutError is one: there is none.
        """
        ...

    async def serve(
        self, subject: str, service: Callable[[bytes], Awaitable[bytes]], queue: str = ""
    ) -> Any:
        """Answer questions from now on, several at once; of a queue one member answers each."""
        ...
