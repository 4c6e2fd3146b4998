"""One line for each request, with its id, and nothing that is nobody's business."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from openhearth.platform.operations import log_as_json

CHAT = "/v1/chat/completions"
SECRET = "the colour of my safe is mauve"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged as JSON while a test runs."""
    before = {
        name: (logger.handlers, logger.propagate, logger.level)
        for name in ("openhearth", "uvicorn")
        for logger in [logging.getLogger(name)]
    }
    stream = io.StringIO()
    log_as_json(to=stream)
    yield stream
    for name, (handlers, propagate, level) in before.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def ask(**change: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": SECRET}]
    return {"model": "tiny", "messages": messages, "max_tokens": 3} | change


def test_a_request_is_a_line_with_its_id(whole: TestClient, lines: io.StringIO) -> None:
    reply = whole.post(CHAT, json=ask())
    (line,) = map(json.loads, lines.getvalue().splitlines())
    assert line["request_id"] == reply.headers["x-request-id"]
    assert (line["method"], line["route"], line["status"]) == ("POST", CHAT, 200)
    assert (line["level"], line["logger"]) == ("info", "openhearth.platform.operations.gate")
    assert line["seconds"] > 0


def test_what_goes_wrong_within_a_request_has_its_id(whole: TestClient, lines: io.StringIO) -> None:
    reply = whole.post(CHAT, json=ask(model="bug", stream=True))
    failed, _ = map(json.loads, lines.getvalue().splitlines())
    assert failed["request_id"] == reply.headers["x-request-id"]
    assert "Traceback" in failed["error"]


def test_no_secret_and_no_prompt_is_logged(
    whole: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = whole.headers["authorization"].removeprefix("Bearer ")
    for body in (
        ask(),
        ask(stream=True),
        ask(model="breaks"),
        ask(model="bug", stream=True),
        ask(temperature=9),
        ask(tools=[SECRET]),
    ):
        whole.post(CHAT, json=body)
    whole.post(CHAT, content=f'{{"{SECRET}'.encode())
    whole.post("/v1/completions", json={"model": "tiny", "prompt": SECRET, "max_tokens": 2})
    whole.post("/v1/responses", json={"model": "tiny", "input": SECRET, "max_output_tokens": 2})
    whole.post("/v1/responses", json={"model": "bug", "input": SECRET, "stream": True})
    whole.post("/v1/embeddings", json={"model": "vectors", "input": SECRET})
    whole.get(f"/v1/models/{SECRET}?key={key}")
    whole.get("/v1/models", headers={"authorization": f"Bearer {key}x"})
    ours = [record for record in caplog.records if record.name.startswith("openhearth")]
    assert len(ours) > 10
    said = "\n".join(caplog.handler.format(record) + str(record.__dict__) for record in ours)
    for secret in (SECRET, "mauve", key, key[4:16]):
        assert secret not in said
