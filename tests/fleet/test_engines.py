"""The engines of a node: opened when needed, shared, closed when idle, never too many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from openhearth.errors import HearthError
from openhearth.fleet.engines import Engines
from openhearth.fleet.node import open_engine, size_of
from openhearth.inference import Engine, EngineBusy
from openhearth.inference.served import Settings
from openhearth.models import base_of, pull
from openhearth.store import Store
from tests.fleet.conftest import ask
from tests.waiting import WAIT, until


def base(store: Store, name: str) -> str:
    return base_of(store.get(name)).digest


@pytest.fixture(scope="module")
def store(long_home: Path, tiny_directory: Path) -> Iterator[Store]:
    store = Store(long_home)
    pull(store, str(tiny_directory), name="engines/other")
    yield store
    store.refs.drop("engines/other")


class Opener:
    """Opens real engines, and remembers them."""

    def __init__(self, store: Store) -> None:
        self.opened: list[Engine] = []
        self._open = partial(open_engine, store, Settings(kv_memory=2**24))

    def __call__(self, digest: str) -> Engine:
        engine = self._open(digest)
        self.opened.append(engine)
        return engine


def running(
    store: Store,
    work: Callable[[Engines, Opener], Awaitable[Any]],
    *,
    idle: float = 600,
    most: int = 4,
) -> Opener:
    opener = Opener(store)

    async def main() -> None:
        engines = Engines(opener, partial(size_of, store), idle=idle, most=most)
        try:
            await work(engines, opener)
        finally:
            await engines.close()
        assert engines.loads == {}

    asyncio.run(main())
    assert all(is_closed(engine) for engine in opener.opened)
    return opener


def is_closed(engine: Engine) -> bool:
    try:
        engine.submit(ask(engine.models()[0].name))
    except EngineBusy:
        return True
    return False


def test_those_who_come_together_share_one_engine_and_adapters_that_of_their_base(
    store: Store,
) -> None:
    async def work(engines: Engines, opener: Opener) -> None:
        async def use(name: str) -> Engine:
            async with engines.use(base(store, name)) as engine:
                await asyncio.sleep(0)
                return engine

        found = await asyncio.gather(*map(use, ["long", "tuned", "long", "tuned"]))
        assert len(set(map(id, found))) == 1
        assert engines.loads.keys() == {store.get("long").digest}
        (load,) = engines.loads.values()
        entries = store.get("long").manifest.files.values()
        assert load.seconds > 0
        assert load.bytes == sum(entry.size for entry in entries) > 0
        assert 0 <= time.time() - load.at < WAIT

    assert len(running(store, work).opened) == 1


def test_nothing_is_loaded_before_it_is_needed_or_kept_when_it_is_idle(store: Store) -> None:
    async def work(engines: Engines, opener: Opener) -> None:
        assert engines.loads == {}
        async with engines.use(base(store, "long")):
            await asyncio.sleep(0.05)  # longer than it may be idle
            assert not is_closed(opener.opened[0])
        while engines.loads:
            await asyncio.sleep(0.01)
        async with engines.use(base(store, "long")) as again:
            assert again is not opener.opened[0]

    assert len(running(store, work, idle=0.02).opened) == 2


def test_each_load_and_each_unload_is_told_at_once(store: Store) -> None:
    async def work(engines: Engines, opener: Opener) -> None:
        seen: list[set[str]] = []
        engines.changed = lambda: seen.append({*engines.loads})
        for name in ("long", "engines/other"):
            async with engines.use(base(store, name)):
                pass
        one, other = base(store, "long"), base(store, "engines/other")
        assert seen == [{one}, set(), {other}]

    running(store, work, most=1)


def test_the_longest_unused_makes_room_for_another(store: Store) -> None:
    async def work(engines: Engines, opener: Opener) -> None:
        async with engines.use(base(store, "long")):
            with pytest.raises(EngineBusy, match="1 models are in use"):
                async with engines.use(base(store, "engines/other")):
                    raise AssertionError
        async with engines.use(base(store, "engines/other")):
            assert engines.loads.keys() == {store.get("engines/other").digest}

    running(store, work, most=1)


def test_a_failure_to_load_is_told_to_all_and_tried_again(store: Store) -> None:
    tries = []

    def fail(digest: str) -> Engine:
        tries.append(digest)
        raise HearthError("The disk failed.")

    async def main() -> None:
        engines = Engines(fail, partial(size_of, store), idle=1, most=1)

        async def use() -> None:
            async with engines.use(base(store, "long")):
                raise AssertionError

        failures = await asyncio.gather(use(), use(), return_exceptions=True)
        assert [str(failure) for failure in failures] == ["The disk failed."] * 2
        with pytest.raises(HearthError, match="disk failed"):
            await use()
        await engines.close()

    asyncio.run(main())
    assert len(tries) == 2


def test_who_stops_waiting_does_not_stop_the_others(store: Store) -> None:
    async def work(engines: Engines, opener: Opener) -> None:
        async def use() -> Engine:
            async with engines.use(base(store, "long")) as engine:
                return engine

        first, second = asyncio.create_task(use()), asyncio.create_task(use())
        await asyncio.sleep(0)
        first.cancel()
        assert await second is opener.opened[0]

    running(store, work)


def test_closing_ends_an_engine_that_is_still_loading(store: Store) -> None:
    async def work(engines: Engines, opener: Opener) -> None:
        async def use() -> None:
            async with engines.use(base(store, "long")):
                pass

        task = asyncio.create_task(use())
        await asyncio.sleep(0)
        await engines.close()
        await task

    opener = running(store, work)
    until(lambda: opener.opened)
