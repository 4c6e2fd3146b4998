"""The framing of server-sent events, and what becomes of failures in the middle."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from openhearth.errors import HearthError
from openhearth.inference.request import Request, Sampling
from openhearth.platform import sse
from openhearth.platform.generation import Generation

ASK = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}


class Said(BaseModel):
    text: str


async def saying(*texts: str, then: Exception | None = None) -> AsyncGenerator[Said]:
    for text in texts:
        yield Said(text=text)
    if then:
        raise then


def sent(messages: AsyncGenerator[Said]) -> list[bytes]:
    async def main() -> list[bytes]:
        return [line async for line in sse.events(messages)]

    return asyncio.run(main())


@given(st.lists(st.text(), max_size=4))
def test_any_text_survives_framing_in_single_ascii_lines(texts: list[str]) -> None:
    events = sent(saying(*texts))
    assert events[-1] == b"data: [DONE]\n\n"
    for text, event in zip(texts, events, strict=False):
        # Both split by Unicode's rules and by those of bytes, it is one line and an empty one.
        line, empty = event.decode("ascii").splitlines()
        assert empty == ""
        assert json.loads(line.removeprefix("data: ")) == {"text": text}


@pytest.mark.parametrize(
    ("failure", "says"),
    [(HearthError("The disk is full."), "The disk is full."), (KeyError("secret"), "its log says")],
)
def test_a_failure_is_the_last_event(failure: Exception, says: str) -> None:
    *first, last = sent(saying("a", "b", then=failure))
    assert len(first) == 2
    assert says in json.loads(last.removeprefix(b"data: "))["error"]["message"]
    assert b"secret" not in last


def test_a_stream_says_what_it_is(http: Any) -> None:
    response = http.post("/v1/chat/completions", json=ASK | {"stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache"
    assert re.fullmatch(r"(data: [ -~]+\n\n)+data: \[DONE\]\n\n", response.text)


def test_comments_keep_a_silent_stream_open(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 0.001)
    body = b""

    async def slowly() -> AsyncGenerator[Said]:
        while body.count(sse.KEEP_ALIVE) < 3:
            await asyncio.sleep(0.001)
        yield Said(text="at last")

    async def receive() -> Any:
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        nonlocal body
        body += message.get("body", b"")

    generation = Generation(engine, [Request("tiny", [1], Sampling())])
    asyncio.run(sse.EventStream(slowly(), generation)({"type": "http"}, receive, send))
    events = [part for part in body.split(b"\n\n") if not part.startswith(b":")]
    assert events == [b'data: {"text":"at last"}', b"data: [DONE]", b""]
    assert engine.streams[0].cancelled
