"""The queue before another server, as the scheduler is the one before an executor.

So many requests are under way there at once; the others wait here, where the highest priority goes
first, then the tenant that was served least, then who came first. A thread with an event loop of
its own carries all of them. It looks now and then for what was cancelled, and cancelling closes the
connection, which servers take as the sign to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import TypeVar

import httpx

from openhearth.errors import HearthError
from openhearth.inference.fairness import INPUT, OUTPUT, FairShares
from openhearth.inference.lane import MOST_WAITING, too_late
from openhearth.inference.remote.lane import RemoteLane
from openhearth.inference.remote.peer import Peer
from openhearth.inference.request import Delta, EngineBusy
from openhearth.inference.sequence import Sequence
from openhearth.inference.stream import Stream

T = TypeVar("T")
TICK = 0.02  # seconds between looks at what was cancelled, about a step of a model
Waiting = tuple[RemoteLane, Sequence]


class Relay:
    """What a `Loop` is for models that are computed here. `end` is called when it has closed."""

    def __init__(self, peer: Peer, most_running: int, end: Callable[[], None]) -> None:
        self._peer = peer
        self._most_running = most_running
        self._end = end
        self._lock = threading.Lock()
        self._closing = False
        self._unfinished = 0
        self._orders = count()
        self._shares = FairShares()
        self._waiting: list[Waiting] = []
        self._running: dict[asyncio.Task[None], Sequence] = {}
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    def stream(self) -> Stream:
        """A stream for a sequence."""
        return Stream()

    def submit(self, lane: RemoteLane, sequence: Sequence) -> None:
        """Queue a sequence of a lane.

        Raises:
            EngineBusy: the queue is full, or the engine is closing.
        """
        with self._lock:
            if self._closing:
                raise EngineBusy("The engine is closing: send the request again later.")
            if self._unfinished >= self._most_running + MOST_WAITING:
                raise EngineBusy(
                    f"{MOST_WAITING} requests are waiting already: send this one again later."
                )
            self._unfinished += 1
            self._loop.call_soon_threadsafe(self._arrive, lane, sequence)

    def call(self, function: Callable[[], T]) -> T:
        """What `function` returns or raises; no thread of ours need do it."""
        return function()

    def close(self) -> None:
        """End; what runs or waits ends as cancelled."""
        with self._lock:
            if not self._closing:
                self._closing = True
                self._loop.call_soon_threadsafe(self._changed.set)
        self._thread.join()
        self._end()

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._work())

    async def _work(self) -> None:
        async with self._peer.client() as client:
            try:
                while not self._closing:
                    self._changed.clear()
                    self._sweep()
                    self._fill(client)
                    busy = self._running or self._waiting
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), TICK if busy else None)
            finally:
                await self._drain()

    async def _drain(self) -> None:
        with self._lock:
            self._closing = True
        await asyncio.sleep(0)  # so that all that was submitted has arrived
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        for _, sequence in self._waiting:
            _cancelled(sequence)

    def _arrive(self, lane: RemoteLane, sequence: Sequence) -> None:
        sequence.order = next(self._orders)
        self._shares.arrive(sequence.request.tenant)
        self._waiting.append((lane, sequence))
        self._changed.set()

    def _sweep(self) -> None:
        """Drop what nobody waits for any more, and what has waited too long."""
        for task, sequence in self._running.items():
            if sequence.stream.cancelled and not task.cancelling():
                task.cancel()
        now = time.monotonic()
        for one in list(self._waiting):
            _, sequence = one
            deadline = sequence.request.deadline
            if sequence.stream.cancelled:
                _cancelled(sequence)
            elif deadline is not None and now > sequence.arrived + deadline:
                sequence.stream.fail(too_late(sequence))
            else:
                continue
            self._waiting.remove(one)
            self._leave(sequence)

    def _fill(self, client: httpx.AsyncClient) -> None:
        """Let as many go as there is room for."""
        while self._waiting and len(self._running) < self._most_running:
            lane, sequence = first = min(self._waiting, key=self._turn)
            self._waiting.remove(first)
            tenant, prompt = sequence.request.tenant, sequence.request.prompt
            self._shares.charge(tenant, INPUT * len(prompt))
            sequence.started = time.monotonic()
            task = self._loop.create_task(self._carry(client, lane, sequence))
            self._running[task] = sequence
            task.add_done_callback(self._done)

    def _turn(self, waiting: Waiting) -> tuple[int, float, int]:
        request = waiting[1].request
        return -request.priority, self._shares.served(request.tenant), waiting[1].order

    async def _carry(self, client: httpx.AsyncClient, lane: RemoteLane, sequence: Sequence) -> None:
        try:
            usage = await lane.answer(client, sequence)
            self._shares.charge(sequence.request.tenant, OUTPUT * usage.completion_tokens)
        except HearthError as error:
            sequence.stream.fail(error)
        except Exception as error:  # a bug spoils the request that it befell, and no other
            failure = HearthError(f"The engine failed at this request ({error}): send it again.")
            failure.__cause__ = error
            sequence.stream.fail(failure)

    def _done(self, task: asyncio.Task[None]) -> None:
        sequence = self._running.pop(task)
        if task.cancelled():
            _cancelled(sequence)
        self._leave(sequence)
        self._changed.set()

    def _leave(self, sequence: Sequence) -> None:
        self._shares.leave(sequence.request.tenant)
        with self._lock:
            self._unfinished -= 1


def _cancelled(sequence: Sequence) -> None:
    usage, timings = sequence.usage(), sequence.timings()
    sequence.stream.put(Delta(finish_reason="cancelled", usage=usage, timings=timings))
