"""What is around all else: bounds on the whole server, and what is told of each request.

Like the guard within it, it is plain ASGI, so that refusing costs next to nothing. Whether the
server is well, and its numbers, are answered even when there is too much to do.
"""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openhearth.platform.errors import ApiError
from openhearth.platform.operations.metrics import Metrics
from openhearth.platform.operations.settings import Settings

ALWAYS = {"/health", "/healthz", "/readyz", "/metrics"}
UNKNOWN = "unknown"

log = logging.getLogger(__name__)


class Gate:
    """ASGI middleware around the guard and the routes."""

    def __init__(self, app: ASGIApp, metrics: Metrics, settings: Settings) -> None:
        self.app = app
        self._metrics = metrics
        self._settings = settings
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        timely = _timely(receive, self._settings)
        if scope["path"] in ALWAYS:
            await self.app(scope, timely, send)
        else:
            await self._count(scope, timely, send)

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = _Seen(send)
        self._in_flight += 1
        self._metrics.in_flight.inc()
        self._metrics.repeated(Headers(scope=scope).get("x-stainless-retry-count", ""))
        try:
            if self._in_flight > self._settings.most_in_flight:
                self._metrics.refused.labels("server").inc()
                await _overloaded().response()(scope, receive, seen)
            else:
                await self.app(scope, receive, seen)
        except Exception:
            seen.status = 500
            raise
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.dec()
            self._tell(scope, seen)

    def _tell(self, scope: Scope, seen: _Seen) -> None:
        seconds = time.perf_counter() - seen.begun
        route = getattr(scope.get("route"), "path", UNKNOWN)
        self._metrics.answered(scope["method"], route, seen.status, seconds)
        told = {
            "request_id": scope.get("state", {}).get("request_id"),
            "method": scope["method"],
            "route": route,
            "status": seen.status,
            "seconds": round(seconds, 6),
        }
        log.info("%s %s %d", scope["method"], route, seen.status, extra=told)


class _Seen:
    """Sends, and remembers the status; without an answer it is that of a caller who left."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = time.perf_counter()
        self.status = 499

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


def _overloaded() -> ApiError:
    return ApiError(
        503,
        "The server has too many requests in flight: send this one again in a moment.",
        kind="server_error",
        code="server_overloaded",
        retry_after=1,
    )


def _timely(receive: Receive, settings: Settings) -> Receive:
    """The same, but neither may the body stop for long, nor come a few bytes at a time for ever."""
    begun, came, whole = time.monotonic(), 0, False

    async def received() -> Message:
        nonlocal came, whole
        if whole:
            return await receive()
        left = begun + settings.body_seconds + came / settings.body_rate - time.monotonic()
        try:
            async with asyncio.timeout(min(left, settings.body_seconds)):
                message = await receive()
        except TimeoutError as error:
            raise _late(settings) from error
        came += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        return message

    return received


def _late(settings: Settings) -> ApiError:
    late = ApiError(
        408,
        f"The body stopped for {settings.body_seconds:g} seconds, or came more slowly than "
        f"{settings.body_rate} bytes a second: send it again.",
        code="request_timeout",
    )
    late.headers["connection"] = "close"  # else the rest of the body would be waited for
    return late
