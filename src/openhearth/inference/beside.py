"""Requests that are slow to begin, begun beside an event loop, which goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

# Of their own, so that they hold up nothing but others of their kind.
SLOW = ThreadPoolExecutor(2, "prepare")


class Cancellable(Protocol):
    """What can be stopped once it has begun."""

    def cancel(self) -> None:
        """Stop it; from any thread."""


Begun = TypeVar("Begun", bound=Cancellable)


async def beside(begin: Callable[[], Begun]) -> Begun:
    """What `begin` returns or raises, called by another thread.

    If the wait for it is cancelled, so is what it has begun.
    """
    begun = SLOW.submit(begin)
    try:
        return await asyncio.wrap_future(begun)
    except asyncio.CancelledError:
        begun.add_done_callback(_cancel)
        raise


def _cancel(begun: Future[Begun]) -> None:
    if not begun.cancelled() and begun.exception() is None:
        begun.result().cancel()
