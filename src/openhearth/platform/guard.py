"""What happens to every request before a route sees it: an id, a key, a fair share, a bounded body.

It is plain ASGI rather than a FastAPI dependency so that a caller without a key cannot make the
server read or parse anything. Everything but `/health` needs a key.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openhearth.platform.errors import ApiError
from openhearth.platform.keys import Keys

MAX_BODY = 4 * 2**20  # bytes; far more text than any context holds
MAX_IN_FLIGHT = 64  # requests of one key, so that one caller cannot fill the engine's queue
OPEN_PATHS = {"/health"}


class Guard:
    """ASGI middleware around the routes."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self.app = app
        self.keys = keys
        self.in_flight: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = f"req-{uuid.uuid4().hex}"
        scope.setdefault("state", {})["request_id"] = request_id
        send = _with_request_id(send, request_id)
        try:
            if scope["path"] in OPEN_PATHS:
                await self.app(scope, receive, send)
                return
            caller = self._authenticate(Headers(scope=scope))
            scope["state"]["caller"] = caller
            with self._share_of(caller):
                body = await _bounded_body(Headers(scope=scope), receive)
                await self.app(scope, _replay(body, receive), send)
        except ApiError as refusal:  # the routes' own errors never come this far
            await refusal.response()(scope, receive, send)

    def _authenticate(self, headers: Headers) -> str:
        scheme, _, presented = headers.get("authorization", "").partition(" ")
        name = self.keys.check(presented.strip()) if scheme.lower() == "bearer" else None
        if name is None:
            raise ApiError(
                401,
                "The API key is missing or wrong: send `Authorization: Bearer KEY` with the key "
                "that the server showed when it first started.",
                code="invalid_api_key",
            )
        return name

    @contextmanager
    def _share_of(self, name: str) -> Iterator[None]:
        if self.in_flight[name] >= MAX_IN_FLIGHT:
            raise ApiError(
                429,
                f"This key already has {MAX_IN_FLIGHT} requests in flight: wait for one to end.",
                kind="rate_limit_error",
                code="rate_limit_exceeded",
                retry_after=1,
            )
        self.in_flight[name] += 1
        try:
            yield
        finally:
            self.in_flight[name] -= 1


def _with_request_id(send: Send, request_id: str) -> Send:
    async def send_with_id(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["x-request-id"] = request_id
        await send(message)

    return send_with_id


async def _bounded_body(headers: Headers, receive: Receive) -> list[Message]:
    """Read the body's messages, which together hold at most MAX_BODY bytes."""
    declared = headers.get("content-length", "")
    # Twenty digits are too many already, and Python refuses to read thousands of them.
    if declared.isdecimal() and int(declared[:20]) > MAX_BODY:
        raise _too_large()
    messages: list[Message] = []
    size, more = 0, True
    while more:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
        if size > MAX_BODY:
            raise _too_large()
    return messages


def _too_large() -> ApiError:
    return ApiError(413, f"The body is larger than {MAX_BODY} bytes: send less at once.")


def _replay(messages: list[Message], receive: Receive) -> Receive:
    waiting = iter(messages)

    async def replayed() -> Message:
        message = next(waiting, None)
        return await receive() if message is None else message

    return replayed
