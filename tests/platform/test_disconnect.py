"""Whoever hangs up stops the engine: in streams and in whole answers, before and after a token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

SLOW = {"model": "slow", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4000}


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must happen soon."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


async def send(server: Any, body: dict) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Post to the chat route over a socket of our own."""
    content = json.dumps(body).encode()
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\n"
        + f"Authorization: Bearer {server.key}\r\n".encode()
        + f"Content-Length: {len(content)}\r\n\r\n".encode()
        + content
    )
    await writer.drain()
    return reader, writer


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("n", [1, 3])
def test_hanging_up_cancels_every_choice_at_once(stream: bool, n: int, server: Any) -> None:
    async def main() -> None:
        reader, writer = await send(server, SLOW | {"stream": stream, "n": n})
        streams = server.engine.streams
        await until(lambda: len(streams) == n and all(s.steps > 3 for s in streams))
        if stream:
            assert b"200 OK" in await reader.readline()
        writer.close()
        await writer.wait_closed()
        await until(lambda: all(s.cancelled for s in streams))
        steps = [s.steps for s in streams]
        await asyncio.sleep(0.05)
        assert all(s.steps - before <= 1 for s, before in zip(streams, steps, strict=True))

    asyncio.run(main())


def test_a_stopping_engine_ends_streams_with_an_error(server: Any) -> None:
    async def main() -> None:
        reader, writer = await send(server, SLOW | {"stream": True})
        await until(lambda: bool(server.engine.streams) and server.engine.streams[0].steps > 3)
        server.engine.close()
        async with asyncio.timeout(10):
            text = await reader.readuntil(b"0\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        last = text.decode().split("data: ")[-1].splitlines()[0]
        assert json.loads(last)["error"]["code"] == "server_overloaded"

    asyncio.run(main())


def test_a_stopping_engine_ends_whole_answers_with_503(server: Any) -> None:
    async def main() -> None:
        reader, writer = await send(server, SLOW)
        await until(lambda: bool(server.engine.streams) and server.engine.streams[0].steps > 3)
        server.engine.close()
        async with asyncio.timeout(10):
            assert b"503" in await reader.readline()
        writer.close()
        await writer.wait_closed()

    asyncio.run(main())
