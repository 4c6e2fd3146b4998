"""Clients that ask one thing again and again over connections that stay, as light as they can be.

Each has a connection and asks as soon as it has its answer (a closed loop), until the time is over.
While the server works, what comes is timed and put aside, and it is read when all is over.
`measure` in a process of its own (`_sides.side`) is all that a comparison needs.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from _clients import EVENT, Body, request_of, text_of

from openhearth.fleet.thread import new_loop

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True)
class Load:
    """What so many connections got in so many `seconds`: how long each answer took until its first
    text came, and until it was whole; how often each text was the answer, and how many requests
    failed; and the clients' own seconds of CPU.
    """

    seconds: float
    first: list[float]
    whole: list[float]
    texts: Counter[str]
    failed: int
    cpu: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.whole) / self.seconds


class Exchange:
    """A request, and what came back: after which bytes of it, what time it was."""

    def __init__(self) -> None:
        self.sent = time.perf_counter()
        self.content = b""
        self.pieces: list[tuple[int, float]] = []
        self._head = 0  # bytes, as soon as they are all here
        self._size: int | None = None  # of all of it; None if that shows only at its end

    def add(self, data: bytes) -> bool:
        """The next bytes; whether they were the last."""
        self.content += data
        self.pieces.append((len(self.content), time.perf_counter()))
        if not self._head:
            if b"\r\n\r\n" not in self.content:
                return False
            self._head = self.content.index(b"\r\n\r\n") + 4
            length = LENGTH.search(self.content, 0, self._head)
            self._size = self._head + int(length[1]) if length else None
        if self._size is None:
            return self.content.endswith(LAST_CHUNK)
        return len(self.content) >= self._size

    def read(self) -> tuple[float, float, str] | None:
        """Seconds until the first text came and until it was whole, and the text; None for what is
        no answer.
        """
        if not self.content.startswith(b"HTTP/1.1 200"):
            return None
        whole = self.pieces[-1][1] - self.sent
        if self._size is not None:
            reply = json.loads(self.content[self._head :])
            return whole, whole, reply["choices"][0]["message"]["content"]
        events = [(m.end(), text_of(json.loads(m[1]))) for m in EVENT.finditer(self.content)]
        texts = [(end, text) for end, text in events if text]
        place = bisect_left(self.pieces, (texts[0][0], 0.0)) if texts else -1
        return self.pieces[place][1] - self.sent, whole, "".join(text for _, text in texts)


class Connection(asyncio.Protocol):
    """One that stays open, and has one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop has types of its own

    def ask(self, request: bytes) -> asyncio.Future[Exchange]:
        """What comes back to a request."""
        self._exchange = Exchange()
        self._answered: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        if self._exchange.add(data):
            self._answered.set_result(self._exchange)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._answered.done():
            self._exchange.content = b""  # a part of an answer is none
            self._answered.set_result(self._exchange)


def clients() -> Callable[[str, str, Body, int, float], Load]:
    """`measure(url, key, body, connections, seconds)`."""

    def measure(url: str, key: str, body: Body, connections: int, seconds: float) -> Load:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(_load(url, key, body, connections, seconds))

    return measure


async def _load(url: str, key: str, body: Body, connections: int, seconds: float) -> Load:
    where = urlsplit(url)
    loop = asyncio.get_running_loop()
    request = request_of(where.netloc, key, body, "keep-alive")
    made = [
        await loop.create_connection(Connection, where.hostname, where.port)
        for _ in range(connections)
    ]
    begun, cpu = time.perf_counter(), time.process_time()

    async def client(connection: Connection) -> list[Exchange]:
        exchanges = []
        while time.perf_counter() < begun + seconds and not connection.transport.is_closing():
            exchanges.append(await connection.ask(request))
        return exchanges

    exchanges = await asyncio.gather(*(client(connection) for _, connection in made))
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    for transport, _ in made:
        transport.close()
    return _read([one for mine in exchanges for one in mine], took, cpu)


def _read(exchanges: list[Exchange], seconds: float, cpu: float) -> Load:
    found = [one.read() for one in exchanges]
    answers = [one for one in found if one is not None]
    return Load(
        seconds,
        [first for first, _, _ in answers],
        [whole for _, whole, _ in answers],
        Counter(text for _, _, text in answers),
        len(found) - len(answers),
        cpu,
    )
