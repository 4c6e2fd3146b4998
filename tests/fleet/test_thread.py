"""A loop in a thread: it returns, raises, and cleans up at its end."""

from __future__ import annotations

import asyncio
import threading

import pytest

from openhearth.fleet import LoopThread


async def where() -> str:
    return threading.current_thread().name


async def fail() -> None:
    raise KeyError("here")


def test_it_runs_elsewhere_and_raises_here() -> None:
    with LoopThread("elsewhere") as thread:
        assert thread.run(where()) == "elsewhere"
        with pytest.raises(KeyError, match="here"):
            thread.run(fail())


def test_what_still_runs_is_cancelled_at_the_end() -> None:
    ended = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    with LoopThread() as thread:
        asyncio.run_coroutine_threadsafe(forever(), thread.loop)
        thread.run(where())
    assert ended.is_set()
