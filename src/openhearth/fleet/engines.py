"""The engines of a node: one for each base model, opened at its first request, closed when idle.

So nothing is in memory, and nothing runs, when there is nothing to do. Adapters, whatever their
version, are served by the engine of their base. What it costs that nothing waits in memory, the
seconds of each load, is measured. All of this is for the node's event loop; loading and closing are
done by threads.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from openhearth.fleet.messages import Load
from openhearth.inference import Engine, EngineBusy
from openhearth.processes import give_back

log = logging.getLogger(__name__)

Open = Callable[[str], Engine]  # the engine of a base, given its digest
Size = Callable[[str], int]  # the bytes of its files, likewise


@dataclass
class Opened:
    """An engine, or one that is loading; how many use it, and when it goes if nobody does."""

    engine: asyncio.Task[Engine]
    users: int = 0
    load: Load | None = None  # as soon as it is over
    leaving: asyncio.TimerHandle | None = None


class Engines:
    """At most `most` engines, each of which `idle` seconds without a request let go. Whoever must
    know at once what has changed in `loads` is called by setting `changed`.
    """

    def __init__(self, open_engine: Open, size: Size, *, idle: float, most: int) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._open = open_engine
        self._size = size
        self._idle = idle
        self._most = most
        self._opened: dict[str, Opened] = {}  # by digest of the base; the longest unused first
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def loads(self) -> dict[str, Load]:
        """The models that are in memory, and how each came there."""
        return {digest: one.load for digest, one in self._opened.items() if one.load}

    @asynccontextmanager
    async def use(self, base: str) -> AsyncIterator[Engine]:
        """The engine of the base with this digest, kept as long as it is used.

        Raises:
            EngineBusy: there are as many as may be, and all of them are used.
            HearthError: the model cannot be loaded.
        """
        one = self._opened.pop(base, None) or self._load(base)
        self._opened[base] = one
        one.users += 1
        if one.leaving is not None:
            one.leaving.cancel()
        try:
            yield await asyncio.shield(one.engine)
        finally:
            one.users -= 1
            if one.users == 0 and self._opened.get(base) is one:
                loop = asyncio.get_running_loop()
                one.leaving = loop.call_later(self._idle, self._let_go, base)

    async def close(self) -> None:
        """Let go of all; what they still answer ends as cancelled."""
        for base in list(self._opened):
            self._let_go(base)
        await asyncio.gather(*self._closing)

    def _load(self, base: str) -> Opened:
        if len(self._opened) >= self._most:
            unused = next((base for base, one in self._opened.items() if not one.users), None)
            if unused is None:
                raise EngineBusy(
                    f"{self._most} models are in use here, as many as may be: ask again later."
                )
            self._let_go(unused)
        began, size = time.monotonic(), self._size(base)
        opened = Opened(asyncio.create_task(asyncio.to_thread(self._open, base)))

        def loaded(task: asyncio.Task[Engine]) -> None:
            if task.cancelled() or task.exception() is not None:  # the next request tries again
                if self._opened.get(base) is opened:
                    del self._opened[base]
                return
            opened.load = Load(time.monotonic() - began, size, time.time())
            log.info("loaded %s in %.2f s", base[:12], opened.load.seconds)
            self.changed()

        opened.engine.add_done_callback(loaded)
        return opened

    def _let_go(self, base: str) -> None:
        one = self._opened.pop(base)
        if one.leaving is not None:
            one.leaving.cancel()
        task = asyncio.create_task(_close(one.engine, base))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        self.changed()


async def _close(opening: asyncio.Task[Engine], base: str) -> None:
    try:
        engine = await opening
    except Exception:
        return  # told to those who waited for it
    await asyncio.to_thread(engine.close)
    del engine, opening  # nobody else has it, so that now its memory is free
    await asyncio.to_thread(give_back)
    log.info("let go of %s", base[:12])
