"""The guard alone, around an application that waits: shares of a key, and what is read when."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from openhearth.platform import Keys, guard
from openhearth.platform.caller import SCOPES, Caller, Limits
from openhearth.platform.guard import Guard
from openhearth.platform.limits import RateLimits
from tests.platform.conftest import running
from tests.waiting import until

LARGE = 2**26  # bytes; the kernel keeps some millions of a connection


class Waiting:
    """An ASGI application that answers 200 once it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.go.wait()
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def call(
    app: Guard, key: str, *parts: bytes, seen: Callable[[Any], object] = lambda _: None
) -> tuple[int, int]:
    """The status, and how many parts of the body were read; `seen` gets each part of the answer."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    waiting, sent = iter(messages), []

    async def receive() -> Any:
        return next(waiting)

    async def send(message: Any) -> None:
        sent.append(message)
        seen(message)

    headers = [(b"authorization", b"Bearer " + key.encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1/models", "headers": headers}
    await app(scope, receive, send)
    return sent[0]["status"], len(messages) - len(list(waiting))


def test_one_key_cannot_take_every_place(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAX_IN_FLIGHT", 2)
    greedy, modest = keys.create("greedy"), keys.create("modest")

    async def main() -> None:
        inner = Waiting()
        app = Guard(inner, keys, RateLimits())
        first = [asyncio.create_task(call(app, greedy)) for _ in range(2)]
        await asyncio.sleep(0)
        assert (await call(app, greedy))[0] == 429
        other = asyncio.create_task(call(app, modest))
        await asyncio.sleep(0)
        inner.go.set()
        assert [status for status, _ in await asyncio.gather(*first, other)] == [200] * 3
        assert (await call(app, greedy))[0] == 200
        assert app.in_flight.total() == 0

    asyncio.run(main())


def test_whoever_has_an_answer_may_ask_again_at_once(keys: Keys) -> None:
    async def main() -> None:
        inner, under_way = Waiting(), []
        inner.go.set()
        app = Guard(inner, keys, RateLimits())
        await call(app, keys.create("test"), seen=lambda _: under_way.append(app.in_flight.total()))
        assert under_way[0] == 1  # at the beginning of the answer
        assert under_way[-1] == 0  # at its end

    asyncio.run(main())


async def large(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application whose answer, in one piece, no buffers of a connection hold."""
    length = (b"content-length", str(LARGE).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": bytes(LARGE)})


def test_an_answer_that_nobody_reads_has_its_share(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MAX_IN_FLIGHT", 1)
    headers = {"authorization": f"Bearer {keys.create('test')}"}
    with running(Guard(large, keys, RateLimits())) as url, httpx.Client(headers=headers) as http:
        with http.stream("GET", f"{url}/v1/models") as slow:
            pieces = slow.iter_raw()
            read = len(next(pieces))
            assert http.get(f"{url}/v1/models").status_code == 429
            assert read + sum(map(len, pieces)) == LARGE
        for _ in range(3):  # whoever has all of it may ask again at once
            assert len(http.get(f"{url}/v1/models").content) == LARGE


def test_who_leaves_an_answer_unread_gives_up_its_share(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, headers = Guard(large, keys, RateLimits()), {"authorization": f"Bearer {keys.create('t')}"}
    with running(app) as url, httpx.Client(headers=headers) as http:
        with http.stream("GET", f"{url}/v1/models") as slow:
            pieces = slow.iter_raw()
            next(pieces)
            assert app.in_flight.total() == 1
            pieces.close()
        until(lambda: app.in_flight.total() == 0)


def test_nothing_is_read_from_a_caller_without_a_key(keys: Keys) -> None:
    async def main() -> None:
        app = Guard(Waiting(), keys, RateLimits())
        assert await call(app, "oh-wrong", b"much", b"more") == (401, 0)

    asyncio.run(main())


def test_the_body_arrives_whole_and_reading_stops_at_the_bound(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MAX_BODY", 10)
    key = keys.create("test")

    async def main() -> None:
        inner = Waiting()
        inner.go.set()
        app = Guard(inner, keys, RateLimits())
        assert await call(app, key, b"12345", b"67890") == (200, 3)
        assert inner.bodies == [b"1234567890"]
        assert await call(app, key, b"12345", b"67890", b"1", b"never read") == (413, 3)

    asyncio.run(main())


class Slow:
    """An authority that has to ask elsewhere, and would hold up the event loop."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.threads: list[threading.Thread] = []

    def is_slow_to_check(self, presented: str) -> bool:
        return True

    def check(self, presented: str) -> Caller:
        self.threads.append(threading.current_thread())
        return Caller(presented, "project", "organisation", None, "owner", SCOPES, self.limits)


def test_a_slow_check_is_done_by_a_thread() -> None:
    async def main() -> None:
        slow, inner = Slow(Limits()), Waiting()
        inner.go.set()
        assert (await call(Guard(inner, slow, RateLimits()), "key"))[0] == 200
        assert threading.main_thread() not in slow.threads

    asyncio.run(main())


def test_requests_over_the_limit_are_refused_unread() -> None:
    async def main() -> None:
        inner = Waiting()
        inner.go.set()
        app = Guard(inner, Slow(Limits(requests_per_minute=2)), RateLimits())
        seen = [await call(app, "key", b"a", b"b") for _ in range(3)]
        assert seen == [(200, 3), (200, 3), (429, 0)]
        assert (await call(app, "another"))[0] == 200

    asyncio.run(main())
