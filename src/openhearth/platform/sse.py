"""Server-sent events, as both clients read them: nameless `data:` lines, then `[DONE]`.

Together's client drops named events. A failure after the first byte can no longer change the
status, so it becomes an event with an `error`, which both clients raise. The JSON is pure ASCII:
clients that split lines by Unicode's rules would cut an event at U+2028. A comment goes out from
time to time, so that no timeout along the way breaks a long wait for the first token.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from openhearth.errors import HearthError
from openhearth.platform.connection import while_connected
from openhearth.platform.errors import ClientGone, from_hearth, server_failed

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
KEEP_ALIVE_SECONDS = 15.0  # the clients and common proxies give up after 60 s of silence

Message = TypeVar("Message", bound=BaseModel)

log = logging.getLogger(__name__)


def event(message: BaseModel) -> bytes:
    """One message as an event."""
    return f"data: {message.model_dump_json(ensure_ascii=True)}\n\n".encode("ascii")


async def events(messages: AsyncGenerator[Message]) -> AsyncGenerator[bytes]:
    """A whole stream: the messages, then `[DONE]`; or, after a failure, the error."""
    try:
        async with aclosing(messages):
            async for message in messages:
                yield event(message)
        yield DONE
    except HearthError as error:
        yield event(from_hearth(error).reply)
    except Exception:
        log.exception("a stream failed")
        yield event(server_failed("in the middle of this stream").reply)


async def _no_headers() -> Mapping[str, str]:
    return {}


class EventStream(StreamingResponse):
    """The response that sends `messages`, and ends their `generation` when the caller leaves. What
    `headers` gives is waited for before anything is sent; what it raises has a status of its own.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        messages: AsyncGenerator[Message],
        generation: AbstractAsyncContextManager[Any],
        encoded: Callable[[AsyncGenerator[Message]], AsyncGenerator[bytes]] = events,
        headers: Callable[[], Awaitable[Mapping[str, str]]] = _no_headers,
    ) -> None:
        self._events = encoded(messages)
        self._generation = generation
        self._headers_to_come = headers
        fixed = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        super().__init__(self._events, headers=fixed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._generation:
            try:
                await while_connected(receive, self.stream_response(send))
            except (ClientGone, OSError):
                log.debug("a caller left in the middle of a stream")

    async def stream_response(self, send: Send) -> None:
        """Send everything, with keep-alive comments between the events."""
        self.headers.update(await self._headers_to_come())
        pulse = asyncio.create_task(_pulse(send))
        try:
            async with aclosing(self._events):
                await super().stream_response(send)
        finally:
            pulse.cancel()
            await asyncio.gather(pulse, return_exceptions=True)


async def _pulse(send: Send) -> None:
    while True:
        await asyncio.sleep(KEEP_ALIVE_SECONDS)
        await send({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})
