"""One request's deltas, from the engine's thread to whoever reads them, in a thread or a loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator

from openhearth.inference.request import Delta

Waiting = asyncio.Future[None]  # what a reader in an event loop waits for


def wake(waiting: Iterable[Waiting]) -> None:
    """Let readers go on: one call into each of their loops, whatever their number.

    Every such call gives up the interpreter's lock, and a loop that has it does not soon return it.
    """
    loops: defaultdict[asyncio.AbstractEventLoop, list[Waiting]] = defaultdict(list)
    for future in waiting:
        loops[future.get_loop()].append(future)
    for loop, futures in loops.items():
        # The loop may have ended meanwhile; then nobody waits any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, futures)


class Stream:
    """Iterate over it, or `async for`, by one reader. It ends after the delta that finishes.

    Iteration raises whatever ended the request instead of an answer. `wake` is called with those
    who wait in event loops; one that collects them lets many streams' readers be woken together.
    `loading` are the seconds that it waited for its model to come into memory.
    """

    def __init__(self, wake: Callable[[list[Waiting]], None] = wake) -> None:
        self._wake = wake
        self._deltas: deque[Delta] = deque()
        self._changed = threading.Condition()
        self._waiting: list[Waiting] = []
        self._closed = False
        self._error: Exception | None = None
        self.cancelled = False
        self.loading = 0.0

    async def begun(self) -> None:
        """Until it is sure that it will be answered; at once, where an engine has it already."""

    def cancel(self) -> None:
        """Ask the engine to stop; it does so within a step. May be called often and late."""
        self.cancelled = True

    def put(self, delta: Delta) -> None:
        """For the engine: hand over a delta."""
        self._update(delta, closed=delta.finish_reason is not None)

    def fail(self, error: Exception) -> None:
        """For the engine: end with an error."""
        self._error = error
        self._update(None, closed=True)

    def _update(self, delta: Delta | None, *, closed: bool) -> None:
        with self._changed:
            if delta is not None:
                self._deltas.append(delta)
            self._closed = self._closed or closed
            self._changed.notify_all()
            waiting, self._waiting = self._waiting, []
        self._wake(waiting)

    def _next(self) -> Delta | None:
        """The next delta, if one is here. Only with the lock held."""
        if self._deltas:
            return self._deltas.popleft()
        if self._closed and self._error is not None:
            raise self._error
        return None

    def __iter__(self) -> Iterator[Delta]:
        return self

    def __next__(self) -> Delta:
        with self._changed:
            self._changed.wait_for(lambda: self._deltas or self._closed)
            delta = self._next()
        if delta is None:
            raise StopIteration
        return delta

    def __aiter__(self) -> AsyncIterator[Delta]:
        return self

    async def __anext__(self) -> Delta:
        while True:
            with self._changed:
                delta = self._next()
                if delta is None and self._closed:
                    raise StopAsyncIteration
                if delta is None:
                    future = asyncio.get_running_loop().create_future()
                    self._waiting.append(future)
            if delta is not None:
                return delta
            await future


def _resolve(waiting: list[Waiting]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)
