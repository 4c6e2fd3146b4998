"""Two lanes, so that what is soon done need not wait behind what takes long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from openhearth.platform.apart.lane import Lane
from openhearth.platform.apart.work import Work

SHORT_BYTES = 16 * 2**20  # that are read within seconds
SHORT_SECONDS, LONG_SECONDS = 120.0, 1800.0


class Apart:
    """Does work in up to two processes."""

    def __init__(self) -> None:
        self._short, self._long = Lane(), Lane()

    async def do(
        self, function: Callable[..., bytes], *, owner: str, reads: int, **arguments: Any
    ) -> bytes:
        """What a function of a module makes of arguments as JSON has them, reading so many bytes.

        Raises:
            ApiError: 429 or 503, too much waits already; 400, it takes too much time or memory.
            HearthError: as the function does.
        """
        is_short = reads <= SHORT_BYTES
        lane = self._short if is_short else self._long
        work = Work.of(function, arguments, SHORT_SECONDS if is_short else LONG_SECONDS)
        return await asyncio.wrap_future(lane.submit(work, owner))
