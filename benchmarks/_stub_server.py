"""An engine's place, taken by an HTTP server that says the same to everybody, at once.

It reads no more of a request than where that ends and whether it wants a stream, and writes bytes
that it made before: what is measured in front of it is not slowed by it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any, cast

from openhearth.fleet.thread import new_loop

WORDS = tuple(f" word{number}" for number in range(16))  # of the answer, a token each
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
STREAMS = re.compile(rb'"stream": *true')
HEAD = {"id": "chatcmpl-stub", "created": 1_700_000_000, "model": "stub"}
USAGE = {"prompt_tokens": 32, "completion_tokens": 16, "total_tokens": 48}
KIND = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n"


def whole() -> bytes:
    """A response that has all of the answer."""
    message = {"role": "assistant", "content": "".join(WORDS)}
    choice = {"index": 0, "message": message, "finish_reason": "length"}
    reply = HEAD | {"object": "chat.completion", "choices": [choice], "usage": USAGE}
    body = json.dumps(reply).encode()
    return KIND % b"application/json" + b"content-length: %d\r\n\r\n" % len(body) + body


def streamed() -> bytes:
    """A response that has an event for each word, and one for the usage."""
    last = len(WORDS) - 1
    events = [_chunk([_choice(word, i == last)], None) for i, word in enumerate(WORDS)]
    events += [_chunk([], USAGE), b"data: [DONE]\n\n"]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in [*events, b""])
    return KIND % b"text/event-stream" + b"transfer-encoding: chunked\r\n\r\n" + chunks


def _choice(word: str, last: bool) -> dict[str, Any]:
    delta = {"role": "assistant", "content": word}
    return {"index": 0, "delta": delta, "finish_reason": "length" if last else None}


def _chunk(choices: list[dict[str, Any]], usage: dict[str, int] | None) -> bytes:
    chunk = HEAD | {"object": "chat.completion.chunk", "choices": choices, "usage": usage}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


WHOLE, STREAMED = whole(), streamed()


class Stub(asyncio.Protocol):
    """A connection, which stays open."""

    def __init__(self) -> None:
        self._came = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop has types of its own

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, separator, body = self._came.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if separator and len(body) >= (int(length[1]) if length else 0):
            self._came = b""
            self._transport.write(STREAMED if STREAMS.search(body) else WHOLE)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve(int(sys.argv[sys.argv.index("--port") + 1])))
