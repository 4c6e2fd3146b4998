import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message

from openhearth.platform.connection import while_connected
from openhearth.platform.errors import ClientGone


class Caller:
    """Who leaves when told to."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()

    async def receive(self) -> Message:
        await self.leaves.wait()
        return {"type": "http.disconnect"}


async def _broken_off(ended: list[str]) -> str:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.sleep(0)  # as what puts an end to something does
        ended.append("cancelled")
        raise
    return "never"


def run(test: Callable[[Caller], Awaitable[None]]) -> None:
    async def with_caller() -> None:
        await test(Caller())
        here = asyncio.current_task()
        assert here is not None
        assert not here.cancelling()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {here}  # nobody is left behind

    asyncio.run(with_caller())


def test_whoever_listens_has_the_result() -> None:
    async def test(caller: Caller) -> None:
        assert await while_connected(caller.receive, asyncio.sleep(0.01, "done")) == "done"

    run(test)


def test_work_that_waits_for_nothing_is_done() -> None:
    async def at_once() -> str:
        return "done"

    async def test(caller: Caller) -> None:
        caller.leaves.set()
        assert await while_connected(caller.receive, at_once()) == "done"

    run(test)


def test_an_error_of_the_work_is_raised() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    async def test(caller: Caller) -> None:
        with pytest.raises(ValueError, match="broken"):
            await while_connected(caller.receive, fail())

    run(test)


def test_work_ends_when_the_caller_leaves_and_the_task_goes_on() -> None:
    async def test(caller: Caller) -> None:
        ended: list[str] = []
        asyncio.get_running_loop().call_later(0.01, caller.leaves.set)
        with pytest.raises(ClientGone):
            await while_connected(caller.receive, _broken_off(ended))
        assert ended == ["cancelled"]
        await asyncio.sleep(0.01)  # which a cancellation left over would break off

    run(test)


def test_what_fails_as_it_ends_is_raised() -> None:
    async def fails_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("broken")

    async def test(caller: Caller) -> None:
        asyncio.get_running_loop().call_later(0.01, caller.leaves.set)
        with pytest.raises(ValueError, match="broken"):
            await while_connected(caller.receive, fails_at_the_end())

    run(test)


@pytest.mark.parametrize("leaves_too", [False, True])
def test_whoever_calls_it_off_is_not_mistaken_for_the_caller(leaves_too: bool) -> None:
    async def test(caller: Caller) -> None:
        ended: list[str] = []
        task = asyncio.create_task(while_connected(caller.receive, _broken_off(ended)))
        await asyncio.sleep(0.01)
        if leaves_too:
            caller.leaves.set()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["cancelled"]

    run(test)


def test_a_caller_who_leaves_later_disturbs_nobody() -> None:
    async def test(caller: Caller) -> None:
        await while_connected(caller.receive, asyncio.sleep(0.01))
        caller.leaves.set()
        await asyncio.sleep(0.01)

    run(test)
