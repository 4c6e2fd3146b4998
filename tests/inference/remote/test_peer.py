"""Another server over real sockets: what it lists, refuses, sends, and should not send."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import aclosing
from typing import Any

import pytest

from openhearth.errors import HearthError, NotFound, UsageError
from openhearth.inference.remote import peer as module
from openhearth.inference.remote.peer import KEY, Peer, Unreachable, refusal
from openhearth.inference.request import ContextTooLong, EngineBusy
from tests.inference.remote.conftest import Stranger, begin, chunk, fail, say


def complete(peer: Peer, limit: int = 2**20, **body: Any) -> list[bytes]:
    async def run() -> list[bytes]:
        async with peer.client() as client, aclosing(peer.complete(client, body, limit)) as events:
            return [event async for event in events]

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("http://[::1]:8000/", "http://[::1]:8000/v1"),
        ("https://example.com/api/v3/", "https://example.com/api/v3"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert Peer(text).url == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "http://",
        "http://a:b",
        "http://a\0b",
    ],
)
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="http://HOST:PORT"):
        Peer(text)


def test_a_key_in_a_command_is_refused() -> None:
    with pytest.raises(UsageError, match=KEY) as caught:
        Peer("http://user:secret@example.com")
    assert "secret" not in str(caught.value)


def test_the_key_comes_from_the_environment_and_is_not_shown(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "secret")
    peer = Peer.at(stranger.url)
    peer.models()
    complete(peer)
    assert [one["authorization"] for one in stranger.headers] == ["Bearer secret"] * 2
    assert "secret" not in repr(peer)
    monkeypatch.delenv(KEY)
    Peer.at(stranger.url).models()
    assert "authorization" not in stranger.headers[-1]


@pytest.mark.parametrize("key", ["two words", "line\n", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(UsageError, match=KEY) as caught:
        Peer("http://127.0.0.1:1", key)
    assert key not in str(caught.value)


def test_models_and_their_contexts(stranger: Stranger) -> None:
    listed = [{"id": "a", "max_model_len": 512}, {"id": "b", "context_length": 7}, {"id": "c"}]
    stranger.models = {"object": "list", "data": listed}
    found = Peer(stranger.url).models()
    assert [(one.id, one.longest) for one in found] == [("a", 512), ("b", 7), ("c", None)]


@pytest.mark.parametrize("answer", [[], {}, {"data": [{}]}, b"<html>", b"\xff"])
def test_what_lists_no_models_is_told(stranger: Stranger, answer: Any) -> None:
    stranger.models = lambda handler: fail(handler, 200, answer)
    with pytest.raises(HearthError, match="OpenAI-compatible") as caught:
        Peer(stranger.url).models()
    assert stranger.url in str(caught.value)


def test_a_list_without_end_is_not_read(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LISTED", 1000)
    stranger.models = lambda handler: fail(handler, 200, b" " * 100_000)
    with pytest.raises(HearthError, match="without an end"):
        Peer(stranger.url).models()


def test_events_come_one_by_one(stranger: Stranger) -> None:
    stranger.answer = lambda handler, body: say(handler, "a", "b", end=True)
    events = complete(Peer(stranger.url), prompt=[1, 2])
    assert events[-1] == b"[DONE]"
    assert len(events) == 4
    assert stranger.asked == [{"prompt": [1, 2]}]


def test_redirects_are_not_followed(stranger: Stranger) -> None:
    elsewhere = f"{stranger.url}/completions"
    stranger.answer = lambda handler, body: begin(handler, 307, location=elsewhere)
    with pytest.raises(HearthError, match="not followed"):
        complete(Peer(stranger.url, "secret"))
    assert len(stranger.asked) == 1


def test_nothing_is_unpacked(stranger: Stranger) -> None:
    def bomb(handler: Any, body: Any) -> None:
        begin(handler, **{"content-encoding": "gzip"})
        handler.wfile.write(gzip.compress(chunk("x" * 10**6)))

    stranger.answer = bomb
    assert b"x" * 1000 not in b"".join(complete(Peer(stranger.url), limit=100_000))


def test_a_stream_without_end_is_cut(stranger: Stranger) -> None:
    def talk(handler: Any, body: Any) -> None:
        begin(handler)
        while True:
            handler.wfile.write(chunk("more and more"))

    stranger.answer = talk
    with pytest.raises(HearthError, match="more than the answer can have"):
        complete(Peer(stranger.url), limit=100_000)


def test_an_event_without_end_is_cut(stranger: Stranger) -> None:
    def talk(handler: Any, body: Any) -> None:
        begin(handler)
        while True:
            handler.wfile.write(b"x" * 2**16)

    stranger.answer = talk
    with pytest.raises(HearthError, match="without the end of an event"):
        complete(Peer(stranger.url), limit=2**30)


def test_silence_is_told(stranger: Stranger) -> None:
    def wait(handler: Any, body: Any) -> None:
        begin(handler)
        handler.wfile.write(chunk("a"))
        handler.rfile.read(1)  # until the other side has gone

    stranger.answer = wait
    with pytest.raises(HearthError, match="fell silent"):
        complete(Peer(stranger.url, silence=0.2))


def test_breaking_off_in_the_middle_of_a_chunk_is_told(stranger: Stranger) -> None:
    def break_off(handler: Any, body: Any) -> None:
        begin(handler, **{"content-length": "1000"})
        handler.wfile.write(chunk("a"))

    stranger.answer = break_off
    with pytest.raises(HearthError, match="broke off"):
        complete(Peer(stranger.url))


def test_nothing_that_listens_is_told() -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1/v1 cannot be reached"):
        Peer("http://127.0.0.1:1").models()
    with pytest.raises(Unreachable, match="behind this model cannot be reached"):
        complete(Peer("http://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("status", "content", "kind", "reason"),
    [
        (400, b'{"error": {"message": "top_k is odd"}}', UsageError, "top_k is odd"),
        (422, b'{"detail": [{"msg": "no"}]}', UsageError, "no"),
        (400, b'{"message": "maximum context length is 7"}', ContextTooLong, "is 7"),
        (400, b'{"error": {"type": "exceed_context_size_error"}}', ContextTooLong, "refuses"),
        (404, b'{"error": {"message": "no model x"}}', NotFound, "no model x"),
        (429, b"", EngineBusy, "too much to do"),
        (503, b"Loading model", EngineBusy, "Loading model"),
        (500, b"\xff\xfe", HearthError, "status 500"),
        (200 + 1, b"[" * 10**5, UsageError, "refuses"),
    ],
)
def test_refusals(status: int, content: bytes, kind: type[HearthError], reason: str) -> None:
    error = refusal("The server", status, content)
    assert type(error) is kind
    assert reason in str(error)
    assert len(str(error)) < 500


def test_a_refused_key_is_not_repeated() -> None:
    for status in (401, 403):
        error = refusal("The server", status, b'{"error": {"message": "Incorrect key: sk-12"}}')
        assert "sk-12" not in str(error)
        assert KEY in str(error)


def test_a_refusal_is_read_no_further_than_needed(stranger: Stranger) -> None:
    stranger.answer = lambda handler, body: fail(handler, 400, b"no " * 10**6)
    with pytest.raises(UsageError, match="no no no"):
        complete(Peer(stranger.url))
