"""One process's load: each request at its time, and conversations turn by turn."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openhearth.bench.load.alarm import Alarm
from openhearth.bench.load.connection import Connection
from openhearth.bench.load.endings import ending
from openhearth.bench.load.exchange import Exchange
from openhearth.bench.load.pool import Pool
from openhearth.bench.load.sharing import roots
from openhearth.bench.load.target import Target
from openhearth.bench.load.turns import next_turn
from openhearth.bench.records import Ask, Failure

LOOK_S = 0.25  # between looks for what has been silent for too long
HELD = 256 * 2**20  # bytes of answers that wait to be read until the load is over
INTERRUPTED = "the run was interrupted"


class Drive:
    """Requests wait in a heap for their times, whatever became of others (rule 12). What is due is
    sent when the alarm rings, and between any two pieces of answers, so that thousands of these do
    not make it late (rule 13).
    """

    def __init__(
        self,
        target: Target,
        asks: Sequence[Ask],
        callers: int | None,
        timeout_s: float,
        seen: Callable[[int], Any],
    ) -> None:
        self._target, self._door = target, target.door
        self._timeout_s, self._seen = timeout_s, seen
        self._root = roots(asks)
        self._later: dict[int, list[Ask]] = defaultdict(list)
        for ask in asks:
            if ask.after is not None:
                self._later[ask.after].append(ask)
        self._left = Counter(self._root.values())  # requests of each conversation
        self._first = [self._prepared(ask, 0.0, ask.body) for ask in asks if ask.after is None]
        self._callers = callers
        self._held = 0
        self._heap: list[tuple[float, int, Exchange]] = []
        self._next = math.inf
        self._active: dict[int, Exchange] = {}
        self._queue: deque[Exchange] = deque()  # of a closed loop
        self.ended: list[Exchange] = []
        self.interrupted = False

    async def run(self, start: float) -> None:
        """Carry it out, from a time of CLOCK_MONOTONIC on."""
        loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._pool = Pool(self._door, self._end, self._tick)
        self._alarm = Alarm(loop, self._fire)
        self._begin(start)
        look = loop.create_task(self._look())
        try:
            await self._over.wait()
        finally:
            look.cancel()
            self._alarm.close()
            self._pool.close()
            self._seen(len(self.ended))

    def break_off(self) -> None:
        """End what is under way, and send nothing more: each request ends as one broken off."""
        self.interrupted = True
        waiting = [exchange for _, _, exchange in self._heap] + list(self._queue)
        self._heap, self._next = [], math.inf
        self._queue.clear()
        for exchange in waiting:
            exchange.fail(Failure.BROKEN_OFF, f"not sent: {INTERRUPTED}")
            self._end(None, exchange)
        for exchange in list(self._active.values()):
            exchange.fail(Failure.BROKEN_OFF, INTERRUPTED)
            self._pool.stop(exchange)

    def _begin(self, start: float) -> None:
        if not self._first:
            self._over.set()
        for exchange in self._first:
            exchange.due = start + (0.0 if self._callers else exchange.ask.at)
        open_at = len(self._first) if self._callers is None else self._callers
        self._queue.extend(self._first[open_at:])
        for exchange in self._first[:open_at]:
            self._wait(exchange)

    def _prepared(self, ask: Ask, due: float, body: Mapping[str, Any]) -> Exchange:
        payload = self._target.payload(self._door, ask.route, body)
        exchange = Exchange(ask, due, dict(body), payload)
        if ask.hang_up is not None:
            exchange.live()
        return exchange

    def _wait(self, exchange: Exchange) -> None:
        heapq.heappush(self._heap, (exchange.due, exchange.ask.number, exchange))
        if exchange.due < self._next:
            self._next = exchange.due
            self._alarm.set(exchange.due)

    def _tick(self, now: float) -> None:
        if now >= self._next:
            self._fire()

    def _fire(self) -> None:
        """Send what is due."""
        heap = self._heap
        while heap and heap[0][0] <= time.monotonic():
            _, number, exchange = heapq.heappop(heap)
            self._active[number] = exchange
            self._pool.send(exchange)
        self._next = heap[0][0] if heap else math.inf
        self._alarm.set(self._next)

    def _end(self, connection: Connection | None, exchange: Exchange) -> None:
        """An exchange has ended: its conversation goes on, or a caller is free."""
        self._active.pop(exchange.ask.number, None)
        self.ended.append(exchange)
        self._held += exchange.size
        if self._held > HELD and exchange.status == 200:
            exchange.read()
        for ask in self._later.get(exchange.ask.number, ()):
            self._go_on(exchange, ask)
        root = self._root[exchange.ask.number]
        self._left[root] -= 1
        if self._left[root] == 0 and self._queue:
            follower = self._queue.popleft()
            follower.due = time.monotonic()
            self._wait(follower)
        if len(self.ended) == len(self._root):
            self._over.set()

    def _go_on(self, before: Exchange, ask: Ask) -> None:
        """The next turn, or, after one that failed, why there is none."""
        ended = before.ended if before.ended is not None else before.due
        if (failure := self._fate(before)) is None:
            body = next_turn(before.request, before.read(), ask.body)
            self._wait(self._prepared(ask, ended + ask.at, body))
            return
        exchange = Exchange(ask, ended + ask.at, dict(ask.body))
        exchange.fail(failure, f"not sent: turn {before.ask.number} ended as {failure.value}")
        self._end(None, exchange)

    def _fate(self, exchange: Exchange) -> Failure | None:
        return Failure.BROKEN_OFF if self.interrupted else ending(exchange, exchange.read())[0]

    async def _look(self) -> None:
        """Now and then, break off what has been silent for too long, and tell how far we are."""
        while True:
            await asyncio.sleep(min(LOOK_S, self._timeout_s / 4))
            now = time.monotonic()
            for exchange in list(self._active.values()):
                if now - exchange.last > self._timeout_s:
                    exchange.fail(Failure.TIMEOUT, self._silence(exchange))
                    self._pool.stop(exchange)
            self._seen(len(self.ended))

    def _silence(self, exchange: Exchange) -> str:
        tried = exchange.connect_s is None and exchange.began is None
        where = "in the middle of the answer" if exchange.began else "before the answer"
        return f"no byte for {self._timeout_s:g} s, {'at connecting or ' if tried else ''}{where}"
