"""A small real HTTP server whose answers the tests write, and records with chosen times."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, StreamingResponse

from openhearth.bench.load import Record, Target


@dataclass
class Script:
    """What the server does: events as it sends them, and how many requests it waits for."""

    url: str = ""
    status: int = 200
    lines: list[str] = field(default_factory=list)
    wait_for: int = 1
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    under_way: int = 0
    most: int = 0

    @property
    def target(self) -> Target:
        return Target(self.url, "key", "m", max_tokens=7)


def event(**content: Any) -> str:
    return f"data: {json.dumps(content)}\n\n"


def piece(text: str) -> str:
    return event(choices=[{"delta": {"content": text}}])


ANSWER = [
    event(choices=[{"delta": {"role": "assistant"}}]),
    piece("Hel"),
    piece("lo"),
    event(choices=[{"delta": {}, "finish_reason": "stop"}]),
    event(choices=[], usage={"prompt_tokens": 5, "completion_tokens": 3}),
    "data: [DONE]\n\n",
]


@pytest.fixture
def script() -> Iterator[Script]:
    """The server, answering with `ANSWER` until told otherwise."""
    script, app = Script(lines=list(ANSWER)), FastAPI()
    arrived = asyncio.Condition()

    @app.post("/v1/chat/completions", response_model=None)
    async def chat(request: Request) -> StreamingResponse | PlainTextResponse:
        script.bodies.append(await request.json())
        script.keys.append(request.headers["authorization"])
        script.under_way += 1
        script.most = max(script.most, script.under_way)
        async with arrived:
            arrived.notify_all()
            await arrived.wait_for(lambda: len(script.bodies) >= script.wait_for)
        if script.status != 200:
            script.under_way -= 1
            return PlainTextResponse("no", script.status)

        async def stream() -> Any:
            for line in script.lines:
                yield line
                await asyncio.sleep(0)
            script.under_way -= 1

        return StreamingResponse(stream(), media_type="text/event-stream")

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    script.url = f"http://127.0.0.1:{port}"
    yield script
    server.should_exit = True
    thread.join()


def record(scheduled: float, *arrivals: float, tokens: int = 0, **rest: Any) -> Record:
    """A request whose tokens came at these seconds."""
    return Record(
        scheduled,
        sent=rest.pop("sent", scheduled),
        arrivals=list(arrivals),
        ended=arrivals[-1] if arrivals else scheduled,
        completion_tokens=tokens or len(arrivals),
        **rest,
    )
