"""Working only as long as the caller listens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.types import Receive

from openhearth.platform.errors import ClientGone

T = TypeVar("T")


async def while_connected(receive: Receive, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled at once when the caller leaves.

    The request's body must have been read, so that all that can still arrive is the disconnection.

    Raises:
        ClientGone: the caller left first.
    """
    here, left = asyncio.current_task(), False
    assert here is not None

    async def watch() -> None:
        nonlocal left
        while (await receive())["type"] != "http.disconnect":
            pass
        if not here.cancelling():  # else it is coming to an end, in which nothing shall disturb it
            left = True
            here.cancel()

    # The work is done by this task: one of its own would cost every request a turn of the loop.
    watching = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if left and here.cancelling() == 1:  # else somebody has called all of it off
            raise ClientGone from None
        raise
    finally:
        watching.cancel()
        if left:
            here.uncancel()
