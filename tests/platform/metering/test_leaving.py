"""Callers who leave, and processes that die, at each moment of an answer: driven as ASGI, message
by message, so that the moment is exact.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from openhearth.inference.request import Request, Sampling
from openhearth.platform.generation import Generation
from openhearth.platform.metering import NoTab

INPUT, OUTPUT = 10, 40  # units a token, by the default prices
BODY = {"model": "slow", "prompt": "Once", "max_tokens": 200, "stream": True, "seed": 9}


@dataclass
class Client:
    """A caller who reads `chunks` chunks of the answer and then leaves, or reads all of it."""

    app: Any
    key: str
    chunks: int | None = None
    seen: Callable[[bytes], Awaitable[None]] | None = None
    received: list[bytes] = field(default_factory=list)
    request_id: str = ""

    async def ask(self, body: Any, path: str = "/v1/completions") -> None:
        self._gone = asyncio.Event()
        self._content = [json.dumps(body).encode()]
        if self.chunks == 0:
            asyncio.get_running_loop().call_later(0.02, self._gone.set)
        headers = [
            (b"authorization", f"Bearer {self.key}".encode()),
            (b"content-type", b"application/json"),
        ]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "scheme": "http",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        async with asyncio.timeout(30):
            await self.app(scope, self._receive, self._send)

    async def _receive(self) -> Any:
        if self._content:
            return {"type": "http.request", "body": self._content.pop(), "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            self.request_id = headers[b"x-request-id"].decode()
            return
        if self._gone.is_set() or not message["body"]:
            return
        self.received.append(message["body"])
        if self.seen:
            await self.seen(message["body"])
        if self.chunks is not None and len(self.received) >= self.chunks:
            self._gone.set()


@pytest.fixture
def key(keys: Any) -> str:
    return keys.create("test")


def output_of(receipt: Any) -> int:
    return {line.kind: line.quantity for line in receipt.lines}["output"]


@pytest.fixture
def stalled(engine: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The engine, which takes an hour for the first token."""
    submit = engine.submit

    def slowly(request: Any) -> Any:
        stream = submit(request)
        stream.pace = 3600.0
        return stream

    monkeypatch.setattr(engine, "submit", slowly)
    return engine


@pytest.mark.parametrize("chunks", [1, 2, 17])
def test_who_leaves_a_stream_pays_for_what_came(
    chunks: int, app: Any, key: str, books: Any, engine: Any
) -> None:
    """new-api 5235 and 7195: whoever left before the usage got everything back."""
    books.grant(10**6)
    client = Client(app, key, chunks)
    asyncio.run(client.ask(BODY))
    receipt = books.receipt(client.request_id)
    assert output_of(receipt) == len(client.received) == chunks
    assert receipt.total == 4 * INPUT + chunks * OUTPUT
    assert books.wallet == (10**6 - receipt.total, 0)
    assert engine.streams[0].cancelled


def test_text_that_is_held_back_was_not_delivered(engine: Any) -> None:
    """Each byte of a character is a token here, and the first three of four bytes say nothing."""
    noted: list[int] = []

    class Noting(NoTab):
        def deliver(self, so_far: Any) -> None:
            noted.append(so_far["output"])

    async def main() -> None:
        request = Request("tiny", [1], Sampling(max_tokens=7, seed=5))
        async with Generation(engine, [request], tab=Noting()) as generation:
            said = [delta.text async for _, delta in generation.deltas()]
        assert said == [" ", "", "", "", "🔥", " ", "a", ""]

    asyncio.run(main())
    assert noted == [1, 5, 6, 7]


@pytest.mark.parametrize("stream", [True, False])
def test_who_leaves_before_the_first_token_pays_nothing(
    stream: bool, app: Any, key: str, books: Any, stalled: Any
) -> None:
    """new-api 4199 and 4168: aborted streams were billed for their prompts."""
    books.grant(10**6)
    asyncio.run(Client(app, key, chunks=0).ask(BODY | {"stream": stream}))
    assert stalled.streams[0].cancelled
    assert books.wallet == (10**6, 0)


def test_who_leaves_a_whole_answer_pays_nothing(
    app: Any, key: str, books: Any, engine: Any
) -> None:
    books.grant(10**6)
    asyncio.run(Client(app, key, chunks=0).ask(BODY | {"stream": False}))
    assert engine.streams[0].cancelled
    assert books.wallet == (10**6, 0)


def test_an_engine_that_goes_on_for_nobody_charges_nobody(
    app: Any, key: str, books: Any, engine: Any
) -> None:
    """sub2api 4408: a request whose caller had gone went on, and was billed in full."""
    books.grant(10**6)
    client = Client(app, key, chunks=5)
    asyncio.run(client.ask(BODY))
    paid = books.wallet
    engine.streams[0].steps = 200
    assert books.wallet == paid
    assert paid[0] > 10**6 - 4 * INPUT - 20 * OUTPUT


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
@pytest.mark.parametrize("model", ["tiny", "slow"])
def test_the_end_goes_out_when_all_is_on_the_disk(
    options: Any, model: str, app: Any, key: str, books: Any
) -> None:
    """new-api 5235: the usage came last, and whoever did not wait for it paid nothing."""
    books.grant(10**6)
    client = Client(app, key)
    settled_at_the_end: list[bool] = []

    async def seen(chunk: bytes) -> None:
        if b'"finish_reason":"length"' in chunk:
            found = await books.ledger.receipt(client.request_id)
            settled_at_the_end.append(found is not None and output_of(found) == 40)

    client.seen = seen
    asyncio.run(client.ask(BODY | options | {"model": model, "max_tokens": 40}))
    assert settled_at_the_end == [True]


def test_whoever_leaves_at_the_last_chunk_has_paid_for_all(app: Any, key: str, books: Any) -> None:
    books.grant(10**6)
    client = Client(app, key)

    async def seen(chunk: bytes) -> None:
        if b'"finish_reason":"length"' in chunk:
            client._gone.set()

    client.seen = seen
    options = {"max_tokens": 40, "stream_options": {"include_usage": True}}
    asyncio.run(client.ask(BODY | options))
    assert output_of(books.receipt(client.request_id)) == 40


def test_a_crash_in_the_middle_charges_by_the_last_mark(
    app: Any, key: str, books: Any, other: Any
) -> None:
    """A process is taken for dead in mid-stream, and another settles what it wrote down.
    It was only slow: then its stream ends with an error rather than for free.
    """
    books.grant(10**6)
    client = Client(app, key)

    async def seen(chunk: bytes) -> None:
        if len(client.received) == 150:
            await asyncio.to_thread(other.sweep_the_dead)

    client.seen = seen
    asyncio.run(client.ask(BODY | {"max_tokens": 2000}))
    assert 64 <= output_of(books.receipt(client.request_id)) <= 200
    assert b"holds no credits any more" in client.received[-1]
    assert not any(b'"finish_reason":"length"' in chunk for chunk in client.received)
