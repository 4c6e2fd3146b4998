"""The bus over a real broker: requests and their errors, queues, and a broker that dies."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from openhearth.errors import HearthError, NotFound
from openhearth.fleet import Broker, Bus, BusDown, LoopThread, NoReply, NoResponders
from tests.waiting import until


async def echo(data: bytes) -> bytes:
    return data


async def fail(data: bytes) -> bytes:
    raise NotFound(f"no {data.decode()}")


async def break_(data: bytes) -> bytes:
    raise KeyError("secret detail")


async def sleep(data: bytes) -> bytes:
    await asyncio.sleep(60)
    return b""


Service = Callable[[bytes], Awaitable[bytes]]


@pytest.fixture
def ask(bus: Bus, thread: LoopThread) -> Callable[[Service, bytes], bytes]:
    def ask(service: Service, data: bytes) -> bytes:
        thread.run(bus.serve("service", service))
        return thread.run(bus.request("service", data, 0.5))

    return ask


def test_a_request_is_answered(ask: Callable[[Service, bytes], bytes]) -> None:
    assert ask(echo, b"\x00\xff bytes") == b"\x00\xff bytes"


def test_an_error_of_the_service_is_raised_as_what_it_was(
    ask: Callable[[Service, bytes], bytes],
) -> None:
    with pytest.raises(NotFound, match="no füße"):
        ask(fail, "füße".encode())


def test_a_bug_of_the_service_is_told_without_details(
    ask: Callable[[Service, bytes], bytes],
) -> None:
    with pytest.raises(HearthError, match="the log says why") as known:
        ask(break_, b"")
    assert "secret" not in str(known.value)


def test_nobody_there_is_known_at_once(bus: Bus, thread: LoopThread) -> None:
    with pytest.raises(NoResponders):
        thread.run(bus.request("nobody", b"", timeout=3600))


def test_an_answer_that_does_not_come_is_not_waited_for(
    ask: Callable[[Service, bytes], bytes],
) -> None:
    with pytest.raises(NoReply, match=r"within 0\.5 s"):
        ask(sleep, b"")


def test_a_slow_request_does_not_hold_up_others(bus: Bus, thread: LoopThread) -> None:
    thread.run(bus.serve("slow", lambda data: sleep(data) if data == b"slow" else echo(data)))

    async def both() -> bytes:
        slow = asyncio.create_task(bus.request("slow", b"slow", 60))
        await asyncio.sleep(0)
        try:
            return await bus.request("slow", b"quick", 30)
        finally:
            slow.cancel()

    assert thread.run(both()) == b"quick"


def test_of_a_queue_one_member_gets_each_message(bus: Bus, thread: LoopThread) -> None:
    got: list[tuple[int, bytes]] = []
    for member in range(3):
        handler = lambda data, member=member: got.append((member, data))  # noqa: E731
        thread.run(bus.subscribe("work", handler, queue="workers"))
    for number in range(60):
        thread.run(bus.publish("work", b"%d" % number))
    until(lambda: len(got) == 60)
    assert {data for _, data in got} == {b"%d" % number for number in range(60)}
    assert len({member for member, _ in got}) == 3


def test_messages_come_in_order_and_bad_ones_are_dropped(bus: Bus, thread: LoopThread) -> None:
    got: list[bytes] = []

    def handler(data: bytes) -> None:
        if data in (b"7", b"9"):
            raise HearthError("unreadable") if data == b"7" else KeyError("a bug")
        got.append(data)

    thread.run(bus.subscribe("numbers", handler))
    for number in range(20):
        thread.run(bus.publish("numbers", b"%d" % number))
    until(lambda: b"19" in got)
    assert got == [b"%d" % number for number in range(20) if number not in (7, 9)]


def test_it_outlives_the_broker(broker: Broker, bus: Bus, thread: LoopThread) -> None:
    """Subscriptions are there again, and what was published meanwhile is not lost."""
    got: list[bytes] = []
    thread.run(bus.subscribe("news", got.append))
    thread.run(bus.serve("service", echo))
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    until(lambda: broker.pid is None)
    until(lambda: not bus._client.is_connected)
    thread.run(bus.publish("news", b"meanwhile"))
    broker.start()
    until(lambda: got)
    assert got == [b"meanwhile"]
    assert thread.run(bus.request("service", b"again", 30)) == b"again"


def test_it_ends_after_its_broker(broker: Broker, thread: LoopThread) -> None:
    """What is still to go out then, nobody takes."""
    bus = thread.run(Bus.connect(broker.url, "late"))
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    until(lambda: broker.pid is None)
    until(lambda: not bus._client.is_connected)
    thread.run(bus.publish("news", b"last words"))
    thread.run(bus.close())
    with pytest.raises(BusDown):
        thread.run(bus.publish("news", b""))


def test_a_closed_bus_takes_nothing(broker: Broker, thread: LoopThread) -> None:
    bus = thread.run(Bus.connect(broker.url, "short"))
    thread.run(bus.close())
    with pytest.raises(BusDown):
        thread.run(bus.publish("news", b""))
    with pytest.raises(BusDown):
        thread.run(bus.request("news", b"", 1))
