"""Who does the work: threads of this process, or, see `ray.py`, the machines of a cluster.

The batch functions release the GIL where they are native, so threads are enough on one machine.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def default_threads() -> int:
    """As many as this process may use cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Threads:
    """Some threads. Results come in the order of their items, few at a time in memory."""

    width = 1  # jobs at once: threads share the work of one

    def __init__(self, count: int | None = None) -> None:
        self.count = count or default_threads()

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """`work(item)` for each item; what it raises is raised here."""
        if self.count == 1:
            yield from map(work, items)
            return
        with ThreadPoolExecutor(self.count, "openhearth-data") as pool:
            waiting: deque[Future[Result]] = deque()
            try:
                for item in items:
                    waiting.append(pool.submit(work, item))
                    if len(waiting) > 2 * self.count:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def run(self, jobs: Iterable[Any]) -> Iterator[Any]:
        """Each job in turn; its blocks are what the threads share."""
        for job in jobs:
            yield job.run(self)
