"""The connections to one server: those that are open and idle, and new ones."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from openhearth.bench.load.connection import Connection, Ended
from openhearth.bench.load.exchange import Exchange
from openhearth.bench.load.target import Door
from openhearth.bench.records import Failure

RESTED_S = 0.02  # idle; some servers close their ends right after an answer, without saying so
KEPT_S = 4.0  # idle; servers close their ends after five seconds and more


class Pool:
    """Sends exchanges; `ended` is told of each that has its end."""

    def __init__(self, door: Door, ended: Ended, tick: Callable[[float], Any]) -> None:
        self._door, self._tell, self._tick = door, ended, tick
        self._idle: deque[Connection] = deque()  # longest first
        self._connecting: dict[int, asyncio.Task[None]] = {}
        self._busy: dict[int, Connection] = {}

    def send(self, exchange: Exchange) -> None:
        """Now, on the connection that was idle for the longest time, or on a new one."""
        exchange.sent = exchange.last = now = time.monotonic()
        while self._idle and now - self._idle[0].idle_since >= RESTED_S:
            connection = self._idle.popleft()
            if connection.usable(now, KEPT_S):
                self._ask(connection, exchange)
                return
            connection.close()
        number = exchange.ask.number
        task = asyncio.get_running_loop().create_task(self._connect(exchange))
        self._connecting[number] = task

    def stop(self, exchange: Exchange) -> None:
        """Break an exchange off, which has said why."""
        number = exchange.ask.number
        if connection := self._busy.get(number):
            connection.close()
        elif task := self._connecting.get(number):
            task.cancel()

    def close(self) -> None:
        """Close what is idle."""
        for connection in self._idle:
            connection.close()

    def _ask(self, connection: Connection, exchange: Exchange) -> None:
        self._busy[exchange.ask.number] = connection
        connection.ask(exchange)

    def _ended(self, connection: Connection | None, exchange: Exchange) -> None:
        self._busy.pop(exchange.ask.number, None)
        if connection is not None:
            self._idle.append(connection)
        self._tell(connection, exchange)

    async def _connect(self, exchange: Exchange) -> None:
        begun = time.monotonic()
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._ended, self._tick),
                self._door.host,
                self._door.port,
                ssl=self._door.tls,
            )
            exchange.connect_s = time.monotonic() - begun
            exchange.last = time.monotonic()
            self._ask(connection, exchange)
        except asyncio.CancelledError:
            exchange.fail(Failure.BROKEN_OFF, "broken off while connecting")
            self._not_connected(exchange)
        except OSError as error:
            exchange.fail(*_reason(error, self._door))
            self._not_connected(exchange)
        finally:
            self._connecting.pop(exchange.ask.number, None)

    def _not_connected(self, exchange: Exchange) -> None:
        exchange.ended = time.monotonic()
        self._tell(None, exchange)


def _reason(error: OSError, door: Door) -> tuple[Failure, str]:
    """Why there is no connection."""
    where = f"{door.host}:{door.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message
        return (
            Failure.CERTIFICATE,
            f"{where} has a certificate that is not to be believed: {reason}",
        )
    if isinstance(error, ssl.SSLError):
        return Failure.CONNECTION, f"{where} does not speak TLS as it should ({error.reason})"
    if isinstance(error, socket.gaierror):
        return Failure.ADDRESS, f"{door.host} is not known ({error.strerror})"
    if isinstance(error, ConnectionRefusedError):
        return Failure.ADDRESS, f"nobody listens at {where}"
    return Failure.CONNECTION, f"there is no connection to {where} ({error})"
