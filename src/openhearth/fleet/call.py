"""One request of a gateway on its way: which node has it, how far its stream is, how it ends."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from openhearth.errors import HearthError
from openhearth.fleet.messages import Part
from openhearth.inference.request import Delta, EngineBusy, Request, Usage
from openhearth.inference.stream import Stream, Waiting


class NodeLost(EngineBusy):
    """The node that had a request is gone, or a part of its answer is."""


class FleetStream(Stream):
    """A stream whose end, when its reader wants it, has to be told to somebody far away, and of
    which a first `word` is to be waited for, as the call has it, if there is one.
    """

    def __init__(
        self, wake: Callable[[list[Waiting]], None], tell: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(wake)
        self.tell = tell
        self.word: Future[None] | None = None

    async def begun(self) -> None:
        """Until a node has got to work on it, if its model had to be loaded first.

        Raises:
            HearthError: what the node says instead.
        """
        if self.word is not None:
            word = asyncio.wrap_future(self.word)
            word.add_done_callback(lambda told: told.cancelled() or told.exception())  # is seen
            await asyncio.wait({word})
            await word

    def cancel(self) -> None:
        """Ask the node to stop, which it does within a step. May be called often and late."""
        wanted = not self.cancelled and not self._closed
        super().cancel()
        if wanted:
            self.tell()


@dataclass(eq=False)
class Call:
    """`id` names the stream of this attempt, which ends with `over`, and `number` is that of the
    part to come. `tokens` of the answer are here. `word` is what the first node that got to work on
    it, or the last one that refused it, had to say.
    """

    request: Request
    base: str  # the digest of the model that must be in memory
    stream: FleetStream
    data: bytes = b""
    id: str = ""
    node: str = ""
    over: asyncio.Future[None] | None = None
    number: int = 0
    tokens: int = 0
    began: bool = False
    tried: set[str] = field(default_factory=set)
    word: Future[None] = field(default_factory=Future)
    _heard: float = 0.0

    @property
    def silence(self) -> float:
        """Seconds since something was heard of this attempt."""
        return time.monotonic() - self._heard

    def begin(
        self, id_: str, node: str, data: bytes, over: asyncio.Future[None], *, cold: bool = False
    ) -> None:
        """Another attempt, by this node, which is to be sent `data`; `cold`, if it has to load."""
        self.id, self.node, self.data, self.over = id_, node, data, over
        self.number, self._heard = 0, time.monotonic()
        self.stream.word = self.word if cold else None

    def receive(self, part: Part) -> None:
        """A part of the stream: given on in its turn, dropped if it came before, and the end if
        there should have been another one before it.
        """
        self._heard = time.monotonic()
        if self.over is None or self.over.done() or part.number < self.number:
            return
        if part.number > self.number:
            self.end(NodeLost("A part of the answer was lost on its way: send the request again."))
        elif part.error is not None:
            self.end(part.error)
        elif part.delta is not None:
            self.number += 1
            self._give(part.delta)
        if part.accepted and part.error is None:
            self.stream.loading = part.loading
            if not self.word.done():
                self.word.set_result(None)

    async def answered(self) -> None:
        """Until this attempt is over. Raises what ended it."""
        if self.over is not None:
            await self.over

    def end(self, error: HearthError | None = None) -> None:
        """End this attempt."""
        if self.over is not None and not self.over.done():
            if error is None:
                self.over.set_result(None)
            else:
                self.over.set_exception(error)

    def give_up(self, error: HearthError) -> None:
        """End it for good; as cancelled, if nobody wants it any more."""
        if self.stream.cancelled:
            usage = Usage(len(self.request.prompt), self.tokens)
            self.stream.put(Delta(finish_reason="cancelled", usage=usage))
        else:
            self.stream.fail(error)
        if not self.word.done():
            self.word.set_exception(error)

    def _give(self, delta: Delta) -> None:
        if delta.finish_reason == "cancelled" and not self.began and not self.stream.cancelled:
            self.end(NodeLost("The node stopped before it could answer: send the request again."))
            return
        self.began = True
        self.tokens += len(delta.tokens)
        self.stream.put(delta)
        if delta.finish_reason is not None:
            self.end()


def settled(request: Request, digest: str) -> Request:
    """The same request, whoever answers it: of this version, and with a seed."""
    sampling = request.sampling
    seed = secrets.randbits(63) if sampling.seed is None else int(sampling.seed) % 2**64
    return replace(
        request,
        model=digest,
        prompt=list(request.prompt),
        sampling=replace(sampling, seed=seed),
    )
