"""The routes over a fleet, which they take for an engine: a real node behind the application."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from openhearth.fleet import Fleet
from openhearth.platform import Keys, create_app
from tests.fleet.conftest import NO_END, Nodes, ask
from tests.waiting import until

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
    with TestClient(create_app(fleet, keys, memory=fleet.memory), headers=headers) as client:
        yield client


def post(http: TestClient, **more: Any) -> Any:
    return http.post("/v1/chat/completions", json=ASK | more)


@contextmanager
def in_use(fleet: Fleet) -> Iterator[None]:
    """The model stays in memory, because it answers."""
    stream = fleet.submit(ask(tokens=16_000))
    next(stream)
    until(lambda: fleet.memory.find("long"))
    yield
    stream.cancel()
    list(stream)


def test_a_chat_is_answered_and_streamed(http: TestClient, nodes: Nodes) -> None:
    nodes.start()
    whole = post(http, n=2).json()
    assert whole["usage"]["completion_tokens"] == 24
    streamed = post(http, n=2, stream=True)
    assert streamed.status_code == 200
    assert streamed.text.count('"finish_reason":"length"') == 2
    assert streamed.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("stream", [False, True])
def test_whoever_waited_for_the_model_is_told_how_long(
    http: TestClient, fleet: Fleet, nodes: Nodes, *, stream: bool
) -> None:
    """The first, and whoever comes when it was idle for too long; nobody between them."""
    nodes.start("--idle", "0.1")

    def waited() -> float:
        answer = post(http, stream=stream)
        seconds = float(re.findall(r'"loading":([^}]+)}', answer.text)[-1])
        header = f"load;dur={1000 * seconds:.1f}" if seconds else None
        assert answer.headers.get("server-timing") == header
        return seconds

    assert waited() > 0
    with in_use(fleet):
        assert waited() == 0
    until(lambda: not fleet.memory.all())
    assert waited() > 0


def test_a_load_that_fails_has_a_status_though_the_answer_is_streamed(
    http: TestClient, fleet: Fleet, nodes: Nodes
) -> None:
    nodes.start("--engine", '{"dtype": "unheard-of"}')
    fleet._proven.update(card.digest for card in fleet.models())  # so that nobody waits before
    refused = post(http, stream=True)
    assert refused.status_code == 400
    assert "unheard-of" in refused.json()["error"]["message"]


def test_models_and_metrics_tell_what_is_in_memory(
    http: TestClient, fleet: Fleet, nodes: Nodes
) -> None:
    def models() -> dict[str, Any]:
        return {one["id"]: one for one in http.get("/v1/models").json()["data"]}

    def metric(name: str) -> float:
        text = http.get("/metrics").text
        found = re.search(rf"^openhearth_{re.escape(name)} (.+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    nodes.start("--idle", "0.1")
    assert {one["state"] for one in models().values()} == {"not_loaded"}
    with in_use(fleet):
        load = fleet.memory.find("long")
        assert load
        assert models()["tuned"]["load_seconds"] == load.seconds
        assert http.get("/v1/models/long").json()["state"] == "loaded"
        assert metric("models_in_memory_bytes") == load.bytes
        assert metric("models_in_memory") == 1
    until(lambda: not fleet.memory.all())
    assert {one["load_seconds"] for one in models().values()} == {None}
    assert metric("models_in_memory") == 0
    for name in ("loads_total", "load_seconds_count", "unloads_total"):
        assert metric(f'model_{name}{{model="long"}}') == 1
    assert metric('model_load_seconds_sum{model="long"}') == load.seconds


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
