"""A node: answers what gateways ask of it, with engines that it opens when they are first needed.

It says every two seconds, and at once when that changes, what it has in memory and how long that
took to load. A stream ends when its gateway says so or is gone. Told to stop, a node takes nothing
new, finishes what it has begun, up to a time of grace, and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from functools import lru_cache

from openhearth.errors import HearthError
from openhearth.fleet.broker import LEFT
from openhearth.fleet.bus import Bus
from openhearth.fleet.catalogue import Catalogue
from openhearth.fleet.engines import Engines
from openhearth.fleet.members import BEAT, Members
from openhearth.fleet.messages import (
    GATEWAYS,
    NODES,
    Ask,
    GatewayBeat,
    NodeBeat,
    Part,
    asks,
    cancels,
    decode_ask,
    decode_cancel,
    decode_gateway,
    decode_left,
    encode,
)
from openhearth.fleet.outbox import Outbox
from openhearth.inference import Delta, Engine, EngineBusy, Request, Stream, Usage
from openhearth.inference.beside import beside
from openhearth.models import base_of
from openhearth.store import Store

KNOWN = 1024  # versions whose base is remembered

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Answering:
    """A request under way; `number` is that of the part which comes next."""

    ask: Ask
    task: asyncio.Task[None] | None = None
    stream: Stream | None = None
    number: int = 0
    loading: float = 0.0  # seconds that it waited for its model

    def cancel(self) -> None:
        """Stop it within a step, or at once if the engine does not have it yet."""
        if self.stream is not None:
            self.stream.cancel()
        elif self.task is not None:
            self.task.cancel()


class Node:
    """Answers at most `room` streams at once. It is called as its connection to the bus is."""

    def __init__(self, bus: Bus, store: Store, engines: Engines, room: int) -> None:
        self._bus = bus
        self._name = name = bus.name
        self._base = lru_cache(KNOWN)(lambda digest: base_of(store.load(digest)).digest)
        self._engines = engines
        self._room = room
        self._catalogue = Catalogue(store)
        self._outbox = Outbox(bus, name)
        self._gateways: Members[GatewayBeat] = Members()
        self._running: dict[str, Answering] = {}
        self._draining = False
        self._news = asyncio.Event()
        engines.changed = self._news.set
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Be there."""
        await self._bus.subscribe(asks(self._name), self._take)
        await self._bus.subscribe(cancels(self._name), self._cancel)
        await self._bus.subscribe(GATEWAYS, lambda data: self._meet(decode_gateway(data)))
        await self._bus.subscribe(LEFT, self._left)
        await self._bus.flush()
        self._tasks = [asyncio.create_task(one) for one in (self._outbox.run(), self._beats())]

    async def stop(self, grace: float) -> None:
        """Finish, within so many seconds, what has begun, and end the rest as cancelled."""
        self._draining = True
        await self._beat()
        answering = [one.task for one in self._running.values() if one.task]
        if answering:
            await asyncio.wait(answering, timeout=grace)
        await self._engines.close()
        for one in list(self._running.values()):
            one.cancel()
        for task in self._tasks:
            task.cancel()
        rest = [one.task for one in self._running.values() if one.task]
        await asyncio.gather(*rest, *self._tasks, return_exceptions=True)
        await self._outbox.send()

    def _take(self, data: bytes) -> None:
        ask = decode_ask(data)
        self._meet(GatewayBeat(ask.gateway))
        one = Answering(ask)
        if self._draining or len(self._running) >= self._room:
            self._say(one, error=EngineBusy("This node takes no further requests: try later."))
        else:
            self._running[ask.stream] = one
            one.task = asyncio.create_task(self._answer(one))
            one.task.add_done_callback(lambda task: self._ended(one, task))

    def _ended(self, one: Answering, task: asyncio.Task[None]) -> None:
        del self._running[one.ask.stream]
        if task.cancelled():
            usage = Usage(len(one.ask.request.prompt), 0)
            self._say(one, delta=Delta(finish_reason="cancelled", usage=usage))

    async def _answer(self, one: Answering) -> None:
        try:
            await self._compute(one)
        except HearthError as error:
            self._say(one, error=error)
        except Exception:
            log.exception("a request failed")
            failure = HearthError("The node failed at this request; its log says why.")
            self._say(one, error=failure)

    async def _compute(self, one: Answering) -> None:
        request = one.ask.request
        base = self._base(request.model)
        is_here, came = base in self._engines.loads, time.monotonic()
        async with self._engines.use(base) as engine:
            one.loading = 0.0 if is_here else time.monotonic() - came
            one.stream = await _begin(engine, request)
            self._say(one)
            try:
                async for delta in one.stream:
                    self._say(one, delta=delta)
            finally:
                one.stream.cancel()

    def _say(
        self, one: Answering, *, delta: Delta | None = None, error: HearthError | None = None
    ) -> None:
        """The next part of a stream, or, without any, that it goes on."""
        accepted = one.stream is not None
        part = Part(one.ask.stream, one.number, delta, error, accepted, one.loading)
        one.number += delta is not None or error is not None
        self._outbox.put(one.ask.gateway, part)

    def _cancel(self, data: bytes) -> None:
        if one := self._running.get(decode_cancel(data)):
            one.cancel()

    def _meet(self, gateway: GatewayBeat) -> None:
        if self._gateways.heard(gateway):
            self._news.set()  # it shall know us at once, as all shall know what is in memory

    def _left(self, data: bytes) -> None:
        gateway = decode_left(data)
        if self._gateways.left(gateway):
            self._forget(gateway)

    def _forget(self, gateway: str) -> None:
        """Nobody waits for these any more."""
        for one in list(self._running.values()):
            if one.ask.gateway == gateway:
                one.cancel()

    async def _beats(self) -> None:
        while True:
            for gateway in self._gateways.expire():
                self._forget(gateway)
            for one in self._running.values():
                self._say(one)
            await self._beat()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), BEAT)
            self._news.clear()

    async def _beat(self) -> None:
        try:
            versions = self._catalogue.versions().values()
            beat = NodeBeat(
                self._name,
                models=tuple({version.card.digest for version in versions}),
                loads=self._engines.loads,
                running=len(self._running),
                room=self._room,
                draining=self._draining,
            )
            await self._bus.publish(NODES, encode(beat))
        except (HearthError, OSError) as error:
            log.warning("this node could not say that it is there: %s", error)


async def _begin(engine: Engine, request: Request) -> Stream:
    """Submit a request, beside the event loop if that may take long."""
    is_new = all(card.name != request.model for card in engine.models())

    def submit() -> Stream:
        if is_new:
            engine.add_adapter(request.model)
        return engine.submit(request)

    return await beside(submit) if is_new or engine.is_slow_to_submit(request) else submit()
