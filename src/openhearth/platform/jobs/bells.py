"""Waking those in this process who wait for news of a job, from whatever thread news come."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Bells:
    """A bell for each job that somebody listens to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: defaultdict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = (
            defaultdict(set)
        )

    def ring(self, job: str) -> None:
        """Wake whoever listens."""
        with self._lock:
            listeners = list(self._heard.get(job, ()))
        for loop, event in listeners:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(event.set)

    @contextmanager
    def listening(self, job: str) -> Iterator[asyncio.Event]:
        """An event of the running loop that is set when the bell rings."""
        listener = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            self._heard[job].add(listener)
        try:
            yield listener[1]
        finally:
            with self._lock:
                self._heard[job].discard(listener)
                if not self._heard[job]:
                    del self._heard[job]
