"""Deltas from one thread to a reader in another thread or in an event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from openhearth.errors import HearthError
from openhearth.inference.request import Delta
from openhearth.inference.stream import Stream, Waiting, wake


def feed(stream: Stream, count: int) -> threading.Thread:
    def run() -> None:
        for i in range(count):
            stream.put(Delta(str(i)))
        stream.put(Delta(finish_reason="stop"))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_thread_reads_everything_in_order() -> None:
    stream = Stream()
    thread = feed(stream, 500)
    assert [d.text for d in stream] == [*map(str, range(500)), ""]
    thread.join()


def test_a_loop_reads_everything_in_order() -> None:
    async def read() -> list[str]:
        stream = Stream()
        thread = feed(stream, 500)
        texts = [delta.text async for delta in stream]
        await asyncio.to_thread(thread.join)
        return texts

    assert asyncio.run(read()) == [*map(str, range(500)), ""]


def test_two_streams_in_one_loop_do_not_wait_for_each_other() -> None:
    async def read() -> list[str]:
        slow, fast = Stream(), Stream()
        waiting = asyncio.create_task(anext(slow))
        await asyncio.sleep(0)
        fast.put(Delta("fast", finish_reason="stop"))
        first = await anext(fast)
        slow.put(Delta("slow", finish_reason="stop"))
        return [first.text, (await waiting).text]

    assert asyncio.run(read()) == ["fast", "slow"]


def test_an_error_comes_after_what_was_delivered() -> None:
    stream = Stream()
    stream.put(Delta("x"))
    stream.fail(HearthError("broken"))
    assert next(stream).text == "x"
    with pytest.raises(HearthError, match="broken"):
        next(stream)


def test_a_reader_that_left_does_not_disturb_the_engine() -> None:
    stream = Stream()

    async def leave() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.01)

    asyncio.run(leave())
    stream.put(Delta("late", finish_reason="stop"))  # its loop is closed by now
    assert next(stream).text == "late"


def test_readers_in_several_loops_are_woken_together() -> None:
    waiting: list[Waiting] = []
    streams = [Stream(waiting.extend) for _ in range(4)]
    here, there = streams[:2], streams[2:]
    texts: list[str] = []

    async def read(some: list[Stream]) -> None:
        texts.extend(delta.text for delta in await asyncio.gather(*map(anext, some)))

    threads = [threading.Thread(target=asyncio.run, args=(read(some),)) for some in (here, there)]
    for thread in threads:
        thread.start()
    while not all(stream._waiting for stream in streams):
        threads[0].join(0.001)
    for i, stream in enumerate(streams):
        stream.put(Delta(str(i)))
    assert len(waiting) == len(streams)
    assert not texts  # nobody was woken yet
    wake(waiting)
    for thread in threads:
        thread.join()
    assert sorted(texts) == ["0", "1", "2", "3"]
