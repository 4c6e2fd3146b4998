"""Threads that compute vectors, apart from those in which keys are checked, and their queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import BoundedSemaphore
from typing import ParamSpec, TypeVar

from openhearth.inference.request import EngineBusy

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 2  # an encoder computes for one caller at a time, with all cores
WAITING = 64


class Pool:
    """Works in up to `threads` threads; up to `waiting` more pieces of work may wait for one."""

    def __init__(self, threads: int = THREADS, waiting: int = WAITING) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="embedding")
        self._room = BoundedSemaphore(threads + waiting)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns. Who is cancelled while it waits makes room; what has begun ends.

        Raises:
            EngineBusy: too much waits already.
        """
        if not self._room.acquire(blocking=False):
            raise EngineBusy("Too many texts wait for their vectors: try again in a moment.")
        context = copy_context()  # by which logs know the request
        working = self._threads.submit(lambda: context.run(work, *args, **kwargs))
        working.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(working)
