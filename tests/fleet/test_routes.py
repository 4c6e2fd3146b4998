"""The routes over a fleet, which they take for an engine: a real node behind the application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from openhearth.fleet import Fleet
from openhearth.platform import Keys, create_app
from tests.fleet.conftest import NO_END, Nodes

ASK = {
    "model": "tuned",
    "messages": [{"role": "user", "content": "The fox"}],
    "max_tokens": 12,
    "seed": 3,
    "logit_bias": {str(token): bias for token, bias in NO_END.items()},
}


@pytest.fixture
def http(fleet: Fleet, tmp_path: Path) -> Iterator[TestClient]:
    keys = Keys.open(tmp_path)
    headers = {"authorization": f"Bearer {keys.create('test')}"}
    with TestClient(create_app(fleet, keys), headers=headers) as client:
        yield client


def post(http: TestClient, **more: Any) -> Any:
    return http.post("/v1/chat/completions", json=ASK | more)


def test_a_chat_is_answered_and_streamed(http: TestClient, nodes: Nodes) -> None:
    nodes.start()
    whole = post(http, n=2).json()
    assert whole["usage"]["completion_tokens"] == 24
    streamed = post(http, n=2, stream=True)
    assert streamed.status_code == 200
    assert streamed.text.count('"finish_reason":"length"') == 2
    assert streamed.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_node_refuses_has_its_status(
    http: TestClient, nodes: Nodes, *, stream: bool
) -> None:
    nodes.start()
    form = {"type": "regex", "pattern": "("}
    refused = post(http, stream=stream, response_format=form)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_schema")


@pytest.mark.parametrize("stream", [False, True])
def test_without_a_node_it_says_when_to_come_again(http: TestClient, *, stream: bool) -> None:
    refused = post(http, stream=stream)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert post(http, model="missing").status_code == 404
    assert post(http, max_tokens=20_000).json()["error"]["code"] == "context_length_exceeded"
