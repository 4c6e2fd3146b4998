"""What happens to every request before a route sees it: an id, a key, limits, a bounded body.

It is plain ASGI rather than a FastAPI dependency so that a caller without a key cannot make the
server read or parse anything. `access` says which paths need none, and what others ask of a key.
Files are not read here, only counted.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openhearth.platform import access
from openhearth.platform.body import bounded, counted
from openhearth.platform.caller import Authority, Caller
from openhearth.platform.errors import ApiError
from openhearth.platform.limits import RateLimits

MAX_BODY = 4 * 2**20  # bytes; far more text than any context holds
MAX_OPEN_BODY = 2**14  # of paths that need no key
MAX_UPLOAD = 2**30 + 2**16  # of a file, and of the form around it
MAX_IN_FLIGHT = 64  # requests of one key, so that one caller cannot fill the engine's queue
MORE: Message = {"type": "http.response.body", "body": b"", "more_body": True}
END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


class Guard:
    """ASGI middleware around the routes."""

    def __init__(self, app: ASGIApp, authority: Authority, limits: RateLimits) -> None:
        self.app = app
        self.authority = authority
        self.limits = limits
        self.in_flight: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = f"req-{uuid.uuid4().hex}"
        scope.setdefault("state", {})["request_id"] = request_id
        # A line of a job is called by another id further in.
        send = _with_headers(send, lambda: {"x-request-id": scope["state"]["request_id"]})
        try:
            if access.is_open(scope["method"], scope["path"]):
                await self.app(scope, await _body(scope, receive, MAX_OPEN_BODY), send)
                return
            caller = await self._authenticate(Headers(scope=scope))
            scope["state"]["caller"] = caller
            send = _with_headers(send, lambda: self.limits.headers(caller))
            self.limits.request(caller)
            access.admit(caller, scope["method"], scope["path"])
            with ExitStack() as share:
                share.enter_context(self._share_of(caller.key))
                body = await _body(scope, receive, MAX_BODY)
                await self.app(scope, body, _until_the_end(send, share.close))
        except ApiError as refusal:  # the routes' own errors never come this far
            await refusal.response()(scope, receive, send)

    async def _authenticate(self, headers: Headers) -> Caller:
        scheme, _, presented = headers.get("authorization", "").partition(" ")
        caller = await self._check(presented.strip()) if scheme.lower() == "bearer" else None
        if caller is None:
            raise ApiError(
                401,
                "The API key is missing or wrong: send `Authorization: Bearer KEY` with a key that "
                "this server made and that was not revoked.",
                code="invalid_api_key",
            )
        return caller

    async def _check(self, presented: str) -> Caller | None:
        if self.authority.is_slow_to_check(presented):
            return await asyncio.to_thread(self.authority.check, presented)
        return self.authority.check(presented)

    @contextmanager
    def _share_of(self, key: str) -> Iterator[None]:
        if self.in_flight[key] >= MAX_IN_FLIGHT:
            raise ApiError(
                429,
                f"This key already has {MAX_IN_FLIGHT} requests in flight: wait for one to end.",
                kind="rate_limit_error",
                code="rate_limit_exceeded",
                retry_after=1,
            )
        self.in_flight[key] += 1
        try:
            yield
        finally:
            self.in_flight[key] -= 1


def _with_headers(send: Send, headers: Callable[[], dict[str, str]]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers())
        await send(message)

    return send_with_headers


def _until_the_end(send: Send, ended: Callable[[], None]) -> Send:
    """The same, and `ended` is called when the caller has taken all of the answer but what fits a
    connection's buffers: else answers that nobody reads would pile up, one a request. It is called
    before the end itself goes out, because whoever has an answer may ask again at once.
    """

    async def send_to_the_end(message: Message) -> None:
        if message["type"] != "http.response.body" or message.get("more_body", False):
            await send(message)
            return
        await send({**message, "more_body": True})
        await send(MORE)  # which the server takes when there is room again
        ended()
        await send(END)
        # At the end of its turn the loop writes what was sent: before all that is done after it.
        await asyncio.sleep(0)

    return send_to_the_end


async def _body(scope: Scope, receive: Receive, most: int) -> Receive:
    """The body, which is here already unless it is a file, which a route takes as it comes."""
    headers = Headers(scope=scope)
    if access.is_upload(scope["method"], scope["path"]):
        return counted(headers, receive, MAX_UPLOAD)
    return await bounded(headers, receive, most)
