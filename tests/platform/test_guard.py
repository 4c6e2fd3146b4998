"""The guard alone, around an application that waits: shares of a key, and what is read when."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from openhearth.platform import Keys, guard
from openhearth.platform.caller import SCOPES, Caller, Limits
from openhearth.platform.guard import Guard
from openhearth.platform.limits import RateLimits


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
        assert under_way == [1, 0]  # at the beginning of the answer, and at its end

    asyncio.run(main())


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
