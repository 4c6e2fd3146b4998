"""Bounds on the whole server: too many requests, and bodies that do not come."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any
from urllib.parse import urlparse

import httpx
import pytest
from fastapi.testclient import TestClient

from openhearth.platform import create_app
from openhearth.platform.operations import Settings
from tests.platform.conftest import running

CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {
    "model": "slow",
    "messages": [{"role": "user", "content": "Hi"}],
    "max_tokens": 50,
}


def test_too_many_at_once_are_refused_and_health_is_not(engine: Any, keys: Any) -> None:
    key = {"authorization": f"Bearer {keys.create('test')}"}
    app = create_app(engine, keys, settings=Settings(most_in_flight=2))

    async def many(url: str) -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=url, headers=key) as client:
            asked = [client.post(CHAT, json=ASK) for _ in range(6)]
            return list(await asyncio.gather(*asked, client.get("/healthz")))

    with running(app) as url:
        *answers, health = asyncio.run(many(url))
        after = httpx.post(url + CHAT, json=ASK, headers=key)
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(refused) == 4
    assert {answer.status_code for answer in answers} == {200, 503}
    for answer in refused:
        assert answer.json()["error"]["code"] == "server_overloaded"
        assert answer.headers["retry-after"] == "1"
    assert (health.status_code, after.status_code) == (200, 200)


def test_a_body_that_stops_is_a_408(engine: Any, keys: Any) -> None:
    key = keys.create("test")
    app = create_app(engine, keys, settings=Settings(body_seconds=0.2))
    with running(app) as url:
        at = urlparse(url)
        with socket.create_connection((at.hostname, at.port)) as raw:
            head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
            raw.sendall(f'{head}content-length: 100\r\n\r\n{{"model"'.encode())
            answer = b""
            while b"request_timeout" not in answer:
                more = raw.recv(4096)
                assert more, answer
                answer += more
    assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    ("path", "piece", "status"),
    [
        (CHAT, b" ", 408),  # never silent for long, and never at an end
        ("/v1/login", b" ", 408),  # which nobody needs a key for
        ("/healthz", b" ", 408),  # nor for this, which no bound on the server refuses
        (CHAT, b" " * 100, 400),  # slow too, but it gets there
    ],
)
def test_a_body_may_be_slow_but_not_for_ever(
    path: str, piece: bytes, status: int, engine: Any, keys: Any
) -> None:
    key = keys.create("test")
    app = create_app(engine, keys, settings=Settings(body_seconds=1, body_rate=100))
    with running(app) as url:
        at = urlparse(url)
        with socket.create_connection((at.hostname, at.port)) as raw:
            head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
            raw.sendall(f"{head}content-length: {20 * len(piece)}\r\n\r\n".encode())
            raw.settimeout(0.1)
            answer = b""
            while not answer:
                with contextlib.suppress(OSError):  # it may have hung up
                    raw.sendall(piece)
                with contextlib.suppress(TimeoutError):
                    answer = raw.recv(4096)
            assert answer.startswith(f"HTTP/1.1 {status}".encode())
            assert (b"connection: close" in answer) == (status == 408)


@pytest.mark.parametrize("origins", [(), ("https://mine.example",)])
def test_pages_of_other_sites_may_call_only_if_they_are_named(
    origins: tuple[str, ...], engine: Any, keys: Any
) -> None:
    app = create_app(engine, keys, settings=Settings(origins=origins))
    asked = {"origin": "https://mine.example", "access-control-request-method": "POST"}
    with TestClient(app) as client:
        allowed = client.options(CHAT, headers=asked).headers.get("access-control-allow-origin")
        other = client.options(CHAT, headers=asked | {"origin": "https://other.example"})
    assert allowed == (origins[0] if origins else None)
    assert "access-control-allow-origin" not in other.headers
