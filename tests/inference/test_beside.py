"""What is begun beside an event loop: its result, its error, and its end when nobody waits."""

from __future__ import annotations

import asyncio
import threading

import pytest

from openhearth.inference.beside import beside


class Begun:
    """Knows whether it was cancelled."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()

    def cancel(self) -> None:
        self.cancelled.set()


def fail() -> Begun:
    raise ValueError("no")


def test_results_and_errors_come_back() -> None:
    begun = asyncio.run(beside(Begun))
    assert not begun.cancelled.is_set()
    with pytest.raises(ValueError, match="no"):
        asyncio.run(beside(fail))


@pytest.mark.parametrize("fails", [False, True])
def test_what_nobody_waits_for_is_cancelled(fails: bool) -> None:
    begun, started, go_on, ended = Begun(), *(threading.Event() for _ in range(3))

    def begin() -> Begun:
        started.set()
        go_on.wait()
        ended.set()
        return fail() if fails else begun

    async def main() -> None:
        task = asyncio.create_task(beside(begin))
        while not started.is_set():
            await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert not begun.cancelled.is_set()
    go_on.set()
    assert ended.wait(20)
    assert fails or begun.cancelled.wait(20)
