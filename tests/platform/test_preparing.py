"""Where requests are made ready: short ones of known models here, others by a thread."""

from __future__ import annotations

import asyncio
import threading

import pytest
from starlette.requests import Request

from openhearth.errors import NotFound
from openhearth.platform.preparing import SHORT, Preparing


def request(size: int) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b" " * size, "more_body": False}

    return Request({"type": "http"}, receive)


def test_only_what_is_short_and_for_a_known_model_is_done_in_the_loop() -> None:
    async def main() -> list[bool]:
        prepared, here = Preparing(), threading.get_ident()
        asked = [("a", SHORT), ("a", SHORT), ("a", SHORT + 1), ("b", 1), ("b", 1)]
        done = [await prepared(request(n), model, threading.get_ident) for model, n in asked]
        return [thread == here for thread in done]

    assert asyncio.run(main()) == [False, True, False, False, True]


def test_a_model_that_is_not_there_is_not_known() -> None:
    def missing() -> int:
        raise NotFound("no")

    async def main() -> int:
        prepared = Preparing()
        with pytest.raises(NotFound):
            await prepared(request(1), "a", missing)
        return await prepared(request(1), "a", threading.get_ident)

    assert asyncio.run(main()) != threading.get_ident()
