"""A gateway's side of the fleet: what routes ask of an engine, answered by whichever node can.

Prompts are checked and turned into tokens here; a node gets token ids and the digest of a version.
The seed is chosen here too, so that another node gives the same answer. A request goes to the node
with the fewest of ours. When a node dies before the first token, another one answers, or the same
when it is back; after that the stream ends with an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import HearthError, NotFound
from openhearth.fleet.broker import LEFT
from openhearth.fleet.bus import Bus
from openhearth.fleet.call import Call, FleetStream, NodeLost, settled
from openhearth.fleet.catalogue import Catalogue
from openhearth.fleet.members import BEAT, LEASE, Members
from openhearth.fleet.memory import Memory
from openhearth.fleet.messages import (
    GATEWAYS,
    NODES,
    Ask,
    Cancel,
    GatewayBeat,
    NodeBeat,
    answers,
    asks,
    cancels,
    decode_left,
    decode_node,
    decode_parts,
    encode,
)
from openhearth.inference.check import check_request
from openhearth.inference.request import DeadlinePassed, EngineBusy, ModelCard, Request
from openhearth.inference.stream import Waiting, wake
from openhearth.store import Store

PATIENCE = 2.0  # seconds to wait for a node's first word, in requests that it may well refuse
RESTARTING = 15.0  # seconds to wait for a node when the only one is gone
LOOK = 0.05  # seconds between looks for one


class Fleet:
    """May be used from any thread, except where the loop is mentioned. `join` makes one."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._catalogue = Catalogue(store)
        self._nodes: Members[NodeBeat] = Members()
        self.memory = Memory(self._catalogue)
        self._lock = threading.Lock()  # of the next two
        self._calls: dict[str, Call] = {}
        self._busy: Counter[str] = Counter()  # calls by node
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken: list[Waiting] = []  # readers of streams that have something new
        self._proven: set[str] = set()  # versions that have answered
        self._beating: asyncio.Task[None] | None = None
        self._closing = False

    @classmethod
    async def join(cls, bus: Bus, store: Store) -> Fleet:
        """Be there, in the bus's event loop; the nodes are known within milliseconds."""
        fleet = cls(bus, store)
        await bus.subscribe(answers(bus.name), fleet._receive)
        await bus.subscribe(NODES, fleet._hear)
        await bus.subscribe(LEFT, fleet._left)
        await bus.flush()
        fleet._beating = bus.loop.create_task(fleet._beats())
        return fleet

    def nodes(self) -> list[NodeBeat]:
        """What each node that is there said last."""
        return self._nodes.all()

    def models(self) -> list[ModelCard]:
        """What can be asked for."""
        return [version.card for version in self._catalogue.versions().values()]

    def tokenizer(self, model: str) -> Tokenizer:
        """The tokenizer of a model.

        Raises:
            NotFound: there is none of this name.
        """
        return self._catalogue.tokenizer(self._catalogue.find(model))

    def is_slow_to_submit(self, request: Request) -> bool:
        """Whether `submit` waits for a node, which may refuse: for a constraint's sake, or because
        this version has not answered yet. Then it must not be called in the bus's event loop.
        """
        with contextlib.suppress(NotFound):
            digest = self._catalogue.find(request.model).card.digest
            return request.sampling.constraint is not None or digest not in self._proven
        return False

    def submit(self, request: Request) -> FleetStream:
        """Start on a request.

        Raises:
            NotFound: there is no such model.
            UsageError: the prompt is empty, a token is not in the vocabulary, or more
                log-probabilities are asked for than there are tokens.
            ContextTooLong: prompt and answer do not fit the context.
            EngineBusy: no node is there, or none that has room.
            HearthError: what a node says within a moment, if it `is_slow_to_submit`; what it says
                later ends the stream.
        """
        version = self._catalogue.find(request.model)
        check_request(request, version.sizes)
        slow, digest = self.is_slow_to_submit(request), version.card.digest
        stream = FleetStream(self._woken.extend, lambda: self._soon(self._cancel, call))
        call = Call(settled(request, digest), version.base.digest, stream)
        self._assign(call)
        self._soon(self._start, self._carry, call)
        if slow:
            with contextlib.suppress(TimeoutError):
                call.word.result(PATIENCE)
        return call.stream

    def close(self) -> None:
        """End what runs as cancelled and take nothing more; the bus stays open."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and all with it
            self._bus.loop.call_soon_threadsafe(self._end)

    async def __aenter__(self) -> Fleet:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _soon(self, function: Callable[..., None], *arguments: Any) -> None:
        self._bus.loop.call_soon_threadsafe(function, *arguments)

    # -- in the bus's event loop, but for `_assign` -------------------------------------------

    def _start(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        task = self._bus.loop.create_task(work(*arguments))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, call: Call) -> None:
        """See a call through, by one node after another if need be."""
        while True:
            try:
                await self._bus.publish(asks(call.node), call.data)
                await call.answered()
                break
            except HearthError as error:
                failure = error
            finally:
                self._release(call)
            if isinstance(failure, NodeLost):
                self._cancel(call)  # it may be alive all the same
            if not await self._reassign(call, failure):
                call.give_up(failure)
                break
        self._wake()

    async def _reassign(self, call: Call, failure: HearthError) -> bool:
        """Give it to another node, if there is one and the failure was that of the last."""
        nodes_own = isinstance(failure, EngineBusy | NotFound)
        if call.began or not nodes_own or isinstance(failure, DeadlinePassed):
            return False
        call.tried.add(call.node)
        last = time.monotonic() + RESTARTING if isinstance(failure, NodeLost) else 0.0
        while not call.stream.cancelled:
            with contextlib.suppress(EngineBusy):
                self._assign(call)
                return True
            if time.monotonic() > last:
                break
            await asyncio.sleep(LOOK)
        return False

    def _assign(self, call: Call) -> None:
        """Choose a node for a call. From any thread.

        Raises:
            UsageError: it cannot be sent.
            EngineBusy: there is no node for it.
        """
        stream = secrets.token_hex(8)
        data = encode(Ask(stream, self._bus.name, call.request))
        with self._lock:
            if self._closing:
                raise EngineBusy("The server is stopping: send the request again later.")
            nodes = [node for node in self._nodes.all() if node.id not in call.tried]
            free = [n for n in nodes if not n.draining and self._busy[n.id] < n.room]
            if not free:
                raise EngineBusy(
                    "All nodes have as much to do as they take: send the request again later."
                    if nodes
                    else "No node is there to answer: start one, or try again in a moment."
                )
            node = min(free, key=lambda n: (self._busy[n.id], call.base not in n.loads, n.id))
            cold, over = call.base not in node.loads, self._bus.loop.create_future()
            call.begin(stream, node.id, data, over, cold=cold)
            self._calls[stream] = call
            self._busy[node.id] += 1

    def _release(self, call: Call) -> None:
        with self._lock:
            del self._calls[call.id]
            self._busy[call.node] -= 1
            if not self._busy[call.node]:
                del self._busy[call.node]

    def _receive(self, data: bytes) -> None:
        node, parts = decode_parts(data)
        for part in parts:
            if call := self._calls.get(part.stream):
                call.receive(part)
                if part.delta is not None:
                    self._proven.add(call.request.model)
            elif part.delta is None and part.error is None:  # it goes on, and nobody wants it
                self._bus.post(cancels(node), encode(Cancel(part.stream)))
        self._wake()

    def _wake(self) -> None:
        """Let the readers of all streams that have something new go on together."""
        wake(self._woken)
        self._woken.clear()

    def _cancel(self, call: Call) -> None:
        self._bus.post(cancels(call.node), encode(Cancel(call.id)))

    def _hear(self, data: bytes) -> None:
        beat = decode_node(data)
        self._nodes.heard(beat)
        self.memory.heard(beat)

    def _left(self, data: bytes) -> None:
        node = decode_left(data)
        if self._nodes.left(node):
            self._lose(node)

    def _lose(self, node: str) -> None:
        self.memory.left(node)
        for call in list(self._calls.values()):
            if call.node == node:
                call.end(NodeLost("The node that answered is gone: send the request again."))

    async def _beats(self) -> None:
        while True:
            self._bus.post(GATEWAYS, encode(GatewayBeat(self._bus.name)))
            for node in self._nodes.expire():
                self._lose(node)
            for call in list(self._calls.values()):
                if call.silence > LEASE:
                    call.end(NodeLost("The node that answered fell silent: send it again."))
            await asyncio.sleep(BEAT)

    def _end(self) -> None:
        self._closing = True
        for call in list(self._calls.values()):
            call.stream.cancel()
            call.end(NodeLost("The server is stopping."))
        if self._beating is not None:
            self._beating.cancel()
