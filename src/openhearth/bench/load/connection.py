"""A connection to the server, HTTP/1.1, which stays open and has one request at a time.

While the load runs it only notes what comes and when; nothing of it is read but where it ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

import httptools

from openhearth.bench.load.exchange import LARGEST, Exchange
from openhearth.bench.records import Failure

KEPT = frozenset([b"content-length", b"transfer-encoding", b"location", b"retry-after"])
Ended = Callable[["Connection | None", Exchange], None]


class Connection(asyncio.Protocol):
    """`ended` is told of each exchange that has its end, with the connection if it can go on;
    `tick` is told the time of whatever comes.
    """

    def __init__(self, ended: Ended, tick: Callable[[float], Any]) -> None:
        self._ended = ended
        self._tick = tick
        self._exchange: Exchange | None = None
        self._now = self.idle_since = 0.0
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop has types of its own

    def ask(self, exchange: Exchange) -> None:
        """Send a request; the connection has none now."""
        self._exchange = exchange
        self._transport.write(exchange.payload)
        exchange.payload = b""

    def usable(self, now: float, seconds: float) -> bool:
        """Whether it is open, and was idle for no longer than that."""
        return not self._transport.is_closing() and now - self.idle_since < seconds

    def close(self) -> None:
        """At once; an exchange that is under way ends with it, as it is."""
        self._now = time.monotonic()
        self._transport.abort()
        self._end(reusable=False)

    def data_received(self, data: bytes) -> None:
        now = self._now = time.monotonic()
        exchange = self._exchange
        if exchange is None:  # nobody has asked
            self._transport.abort()
            return
        if exchange.began is None:
            exchange.began = now
        exchange.last = now
        exchange.size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._give_up(exchange, Failure.MALFORMED, f"this is not HTTP/1.1 ({error})")
        if exchange.size > LARGEST:
            self._give_up(exchange, Failure.TOO_LARGE, f"more than {LARGEST >> 20} MiB came")
        self._tick(now)

    def connection_lost(self, error: Exception | None) -> None:
        exchange, self._now = self._exchange, time.monotonic()
        if exchange is None:
            return
        if exchange.began is None:
            exchange.fail(
                Failure.CONNECTION, f"the server closed the connection ({error or 'EOF'})"
            )
        elif not exchange.fields.keys() & {b"content-length", b"transfer-encoding"}:
            exchange.whole = exchange.status is not None  # such an answer lasts until the end
        self._end(reusable=False)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of the parser: a field of the head."""
        name = name.lower()
        if self._exchange is not None and name in KEPT:
            self._exchange.fields[name] = value

    def on_headers_complete(self) -> None:
        """Of the parser: the head is here."""
        if self._exchange is not None:
            self._exchange.status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        """Of the parser: some of the body."""
        exchange = self._exchange
        if exchange is None:
            return
        exchange.noted.append((self._now, data))
        if exchange.reader is not None:
            exchange.reader.feed(self._now, data)
            if len(exchange.reader.chunks) >= (exchange.ask.hang_up or 0):
                exchange.hung_up = True
                self.close()

    def on_message_complete(self) -> None:
        """Of the parser: the response is here, unless it only says that one will come."""
        exchange = self._exchange
        if exchange is None or (exchange.status or 0) < 200:
            return
        exchange.whole = True
        self._end(reusable=self._parser.should_keep_alive())

    def _give_up(self, exchange: Exchange, failure: Failure, detail: str) -> None:
        if exchange.whole:  # what comes after an answer is of no concern to it
            self._transport.abort()
            return
        exchange.fail(failure, detail)
        self.close()

    def _end(self, *, reusable: bool) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        if not reusable:
            self._transport.abort()
        exchange.ended = self.idle_since = max(self._now, exchange.sent or 0.0)
        self._ended(self if reusable else None, exchange)
