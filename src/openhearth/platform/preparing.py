"""Requests made ready for the engine: short ones at once, others by a thread.

Rendering and tokenising a long conversation takes milliseconds, and the first request for a model
loads its tokenizer; the event loop shall not wait for either. Handing a short one to a thread takes
longer than making it ready.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request

SHORT = 2048  # bytes of a body, whose text is tokenised within a millisecond

T = TypeVar("T")


class Preparing:
    """Knows which models were asked for before."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    async def __call__(self, http: Request, model: str, work: Callable[[], T]) -> T:
        """What `work` makes of the request, whose body has been read. Raises what `work` raises."""
        if model in self._known and len(await http.body()) <= SHORT:
            return work()
        made = await asyncio.to_thread(work)
        self._known.add(model)
        return made
