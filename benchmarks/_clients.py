"""Streaming clients of any server with OpenAI's routes, as light as they can be.

While the server works, what comes is timed and put aside, and it is read when all is over: on two
cores a client that parses as it goes would be measured too. Every request has a connection of its
own. `measure` in a process of its own (`_sides.side`) is all that a comparison needs.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any
from urllib.parse import urlsplit

EVENT = re.compile(rb"^data: (\{.*\})\r?$", re.MULTILINE)
Body = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """One answer. Times are seconds after it was asked for; text came first and last at these."""

    first: float
    last: float
    prompt_tokens: int
    tokens: int
    cached: int
    text: str


@dataclass(frozen=True)
class Load:
    """The replies to each client, in order; seconds in all; the clients' own seconds of CPU."""

    replies: list[list[Reply]]
    seconds: float
    cpu: float

    @property
    def all(self) -> list[Reply]:
        return [reply for client in self.replies for reply in client]

    @property
    def speed(self) -> float:
        """Tokens per second of all together."""
        return sum(reply.tokens for reply in self.all) / self.seconds

    @property
    def speeds(self) -> list[float]:
        """Tokens per second of each, once it had its first."""
        return [(r.tokens - 1) / (r.last - r.first) for r in self.all]

    @property
    def later(self) -> Load:
        """Without the first requests, which all came at once."""
        return replace(self, replies=[mine[1:] for mine in self.replies])

    def first(self, share: float) -> float:
        """The quantile of the seconds until the first text came."""
        times = sorted(reply.first for reply in self.all)
        return times[min(len(times) - 1, int(share * len(times)))]


class Exchange(asyncio.Protocol):
    """One request, and the pieces of what comes back, with the times at which they came."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.pieces: list[tuple[float, bytes]] = []
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.sent = time.perf_counter()
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.pieces.append((time.perf_counter(), data))

    def connection_lost(self, error: Exception | None) -> None:
        self.ended.set_result(None)

    def reply(self) -> Reply:
        """What came, read: events, each of which came with its last byte."""
        content = b"".join(data for _, data in self.pieces)
        if not content.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"A server refused: {content.decode(errors='replace')}")
        ends = list(accumulate(len(data) for _, data in self.pieces))
        events = [(m.end(), json.loads(m[1])) for m in EVENT.finditer(content)]
        texts = [(end, text_of(event)) for end, event in events]
        times = [self.pieces[bisect_left(ends, end)][0] - self.sent for end, text in texts if text]
        usage = next(event["usage"] for _, event in reversed(events) if event.get("usage"))
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
        return Reply(
            times[0],
            times[-1],
            usage["prompt_tokens"],
            usage["completion_tokens"],
            cached,
            "".join(text for _, text in texts),
        )


def text_of(event: Body) -> str:
    """What an event adds to the answer."""
    return "".join(choice["delta"].get("content") or "" for choice in event.get("choices", ()))


def clients() -> Callable[[str, str, Sequence[Sequence[Body]]], Load]:
    """`measure(url, key, bodies)`: as many clients as lists, each sends its bodies in turn."""

    def measure(url: str, key: str, bodies: Sequence[Sequence[Body]]) -> Load:
        return asyncio.run(_load(url, key, bodies))

    return measure


async def _load(url: str, key: str, bodies: Sequence[Sequence[Body]]) -> Load:
    where = urlsplit(url)
    requests = [[request_of(where.netloc, key, body) for body in mine] for mine in bodies]

    async def client(mine: list[bytes]) -> list[Exchange]:
        exchanges = []
        for request in mine:
            _, exchange = await asyncio.get_running_loop().create_connection(
                lambda request=request: Exchange(request), where.hostname, where.port
            )
            await exchange.ended
            exchanges.append(exchange)
        return exchanges

    start, cpu = time.perf_counter(), time.process_time()
    exchanges = await asyncio.gather(*(client(mine) for mine in requests))
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return Load([[exchange.reply() for exchange in mine] for mine in exchanges], seconds, cpu)


def request_of(host: str, key: str, body: Body, connection: str = "close") -> bytes:
    """A request of chat completions, and what shall become of its connection."""
    content = json.dumps(body).encode()
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        f"Connection: {connection}\r\n\r\n"
    ).encode() + content
