"""A node's place on the bus, taken by one that says the same to every gateway, at once.

Like `_stub_server.py` it reads next to nothing and writes bytes that it made before: the parts of
an answer, a token each, in one message.
"""

from __future__ import annotations

import asyncio
import os
from functools import cache

import orjson
from _stub_server import WORDS

from openhearth.fleet import Bus
from openhearth.fleet.broker import BUS
from openhearth.fleet.members import BEAT
from openhearth.fleet.messages import NODES, NodeBeat, Part, answers, asks, encode, encode_parts
from openhearth.fleet.thread import new_loop
from openhearth.inference.request import Delta, Timings, Usage

NAME, STREAM = "node-stub", "a-stream-of-benchmarks"
ROOM = 1000  # streams at once


@cache
def answer(prompt_tokens: int) -> bytes:
    """The message to a prompt of so many tokens, with `STREAM` for the name of the stream."""
    deltas = [Delta(word, (number,)) for number, word in enumerate(WORDS)]
    usage = Usage(prompt_tokens, len(WORDS))
    deltas[-1] = Delta(WORDS[-1], (0,), (), "length", usage, Timings(0.0, 0.0, 0.0))
    (message,) = encode_parts(NAME, (Part(STREAM, *one) for one in enumerate(deltas)))
    return message


async def serve(url: str) -> None:
    """Be there, and answer."""
    async with await Bus.connect(url, NAME) as bus:

        def take(data: bytes) -> None:
            ask = orjson.loads(data)
            message = answer(len(ask["request"]["prompt"]))
            message = message.replace(STREAM.encode(), ask["stream"].encode())
            bus.post(answers(ask["gateway"]), message)

        await bus.subscribe(asks(NAME), take)
        while True:
            await bus.publish(NODES, encode(NodeBeat(NAME, room=ROOM)))
            await asyncio.sleep(BEAT)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve(os.environ[BUS]))
