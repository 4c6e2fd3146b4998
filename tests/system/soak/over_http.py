"""Clients of the HTTP server, some of whom hang up: before the answer, or in its middle."""

from __future__ import annotations

import contextlib
import json
import random
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import uvicorn

from openhearth.inference import Engine
from openhearth.platform import Keys, create_app
from openhearth.platform.parameters import NUMBERS
from tests.system.soak.questions import Question

PATIENCE = 300.0  # seconds
BUSY = (429, 503)
DATA = b"data: "
SAMPLING = ("max_tokens", *NUMBERS, "seed", "logprobs")


@contextlib.contextmanager
def served(engine: Engine, home: Path) -> Iterator[tuple[int, str]]:
    """A server in a thread: its port, and a key to it."""
    keys = Keys.open(home)
    key = keys.create("soak")
    app = create_app(engine, keys)
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="critical", ws="none", lifespan="off")
    )
    listening, startup = threading.Event(), server.startup

    async def start(sockets: Any = None) -> None:
        await startup(sockets)
        listening.set()

    server.startup = start
    thread = threading.Thread(target=server.run)
    thread.start()
    assert listening.wait(PATIENCE)
    try:
        yield server.servers[0].sockets[0].getsockname()[1], key
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


def ask(port: int, key: str, asked: Question, chance: random.Random) -> tuple[str, list[str]]:
    """How it ended, and the texts of all choices; none of who hangs up."""
    stream, leaves = asked.error is None and chance.random() < 0.7, chance.random() < 0.4
    body = {name: getattr(asked.sampling, name) for name in SAMPLING} | {
        "model": asked.model,
        "prompt": asked.prompt,
        "logit_bias": {str(token): bias for token, bias in asked.sampling.logit_bias.items()},
        "stop": list(asked.sampling.stop),
        "n": chance.choice([1, 1, 2, 5]),
        "stream": stream,
    }
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    try:
        connection.request("POST", "/v1/completions", json.dumps(body), headers)
        if leaves and (not stream or chance.random() < 0.3):
            return "hung up", []
        with contextlib.closing(connection.getresponse()) as reply:
            if reply.status != 200:
                assert asked.error or reply.status in BUSY, reply.read()
                return "busy" if reply.status in BUSY else "refused", []
            assert asked.error is None
            if leaves:
                reply.read(chance.randrange(1, 2000))
                return "hung up", []
            texts = _streamed(reply) if stream else json.loads(reply.read())["choices"]
            return "over http", [text["text"] for text in texts]
    finally:
        connection.close()


def _streamed(reply: HTTPResponse) -> list[dict[str, str]]:
    """The choices of a stream, put together."""
    choices: dict[int, dict[str, str]] = {}
    lines = reply.read().splitlines()
    *events, last = [line.removeprefix(DATA) for line in lines if line.startswith(DATA)]
    assert last == b"[DONE]"
    for event in map(json.loads, events):
        assert "error" not in event, event
        for choice in event["choices"]:
            whole = choices.setdefault(choice["index"], {"text": "", "end": ""})
            assert not whole["end"], "a choice went on after its end"
            whole["text"] += choice["text"]
            whole["end"] = choice["finish_reason"] or ""
    assert all(choice["end"] for choice in choices.values())
    return [choices[index] for index in sorted(choices)]
