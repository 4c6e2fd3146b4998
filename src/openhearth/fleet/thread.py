"""An event loop in a thread of its own, for those who have none: scripts, and code that waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop, the fastest that is installed."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class LoopThread:
    """Runs coroutines; a context manager, which ends what still runs at its end."""

    def __init__(self, name: str = "fleet") -> None:
        self.loop = new_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns or raises; not to be called in the loop itself."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def __enter__(self) -> LoopThread:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            asyncio.set_event_loop(runner.get_loop())
            self.loop.run_forever()
