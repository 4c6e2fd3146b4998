"""Bodies of requests: read before a route is called, or counted as it reads; never too large."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from openhearth.platform.errors import ApiError


def counted(headers: Headers, receive: Receive, most: int) -> Receive:
    """The body as it comes, of at most so many bytes."""
    _check_declared(headers, most)
    size = 0

    async def received() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise _too_large(most)
        return message

    return received


async def bounded(headers: Headers, receive: Receive, most: int) -> Receive:
    """The body once it is here, of at most so many bytes."""
    receive = counted(headers, receive, most)
    messages: list[Message] = []
    more = True
    while more:
        messages.append(await receive())
        more = messages[-1].get("more_body", False)
    waiting = iter(messages)

    async def replayed() -> Message:
        message = next(waiting, None)
        return await receive() if message is None else message

    return replayed


def _check_declared(headers: Headers, most: int) -> None:
    declared = headers.get("content-length", "")
    # Twenty digits are too many already, and Python refuses to read thousands of them.
    if declared.isdecimal() and int(declared[:20]) > most:
        raise _too_large(most)


def _too_large(most: int) -> ApiError:
    return ApiError(413, f"The body is larger than {most} bytes: send less at once.")
