"""What is counted, and that no caller can make the counts many."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {
    "model": "tiny",
    "messages": [{"role": "user", "content": "Hi"}],
    "max_tokens": 7,
}
PROMPT = len("<user>Hi\n<assistant>")


def samples(client: TestClient) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    text = client.get("/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("stream", [False, True])
def test_requests_and_tokens_are_counted(stream: bool, http: TestClient) -> None:
    assert http.post(CHAT, json=ASK | {"stream": stream}).status_code == 200
    assert http.post(CHAT, json=ASK | {"temperature": 9}).status_code == 400
    seen = samples(http)
    assert seen["openhearth_requests_total", "POST", CHAT, "200"] == 1
    assert seen["openhearth_requests_total", "POST", CHAT, "400"] == 1
    assert seen["openhearth_request_seconds_count", CHAT] == 2
    assert seen["openhearth_tokens_total", "in"] == PROMPT
    assert seen["openhearth_tokens_total", "out"] == 7
    assert seen["openhearth_first_token_seconds_count",] == 1
    assert seen["openhearth_requests_in_flight",] == 0
    assert seen["openhearth_generations_waiting",] == 0


def test_a_full_queue_and_bugs_are_counted(http: TestClient, engine: Any) -> None:
    assert http.post(CHAT, json=ASK | {"model": "bug"}).status_code == 500
    engine.room = 0
    assert http.post(CHAT, json=ASK).status_code == 503
    seen = samples(http)
    assert seen["openhearth_refused_total", "engine"] == 1
    assert seen["openhearth_requests_total", "POST", CHAT, "500"] == 1


def test_labels_have_few_values_whatever_is_sent(http: TestClient) -> None:
    for i in range(20):
        http.get(f"/nowhere/{i}")
        http.get(f"/v1/models/unknown-{i}")
        http.request(f"METHOD{i}", "/v1/models")
        http.post(CHAT, json={}, headers={"x-stainless-retry-count": str(i)})
        http.post(CHAT, json={}, headers={"x-stainless-retry-count": f"junk{i}"})
    seen = samples(http)
    retries = {key[1]: value for key, value in seen.items() if key[0] == "openhearth_retries_total"}
    assert retries == {"1": 1, "2": 1, "3": 1, "3+": 16}
    methods = {key[1] for key in seen if key[0] == "openhearth_requests_total"}
    assert methods == {"GET", "POST", "other"}
    routes = {key[2] for key in seen if key[0] == "openhearth_requests_total"}
    assert routes == {"unknown", "/v1/models", "/v1/models/{name:path}", CHAT}


def test_names_are_as_prometheus_wants_them(http: TestClient) -> None:
    text = http.get("/metrics").text
    names = re.findall(r"^# TYPE (\w+)", text, re.MULTILINE)
    assert names
    assert all(name.startswith("openhearth_") for name in names)
