"""Requests that fit the description of the API never make the server fail."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings

from openhearth.platform import create_app
from openhearth.platform.database import Database
from tests.platform.conftest import ByKey, FakeEmbedder, FakeEngine

schemathesis = pytest.importorskip("schemathesis")
BOUNDED = settings(
    max_examples=20,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
ROOT = "/v2/projects/test/endpoints"


@pytest.fixture
def there(whole: TestClient) -> dict[str, str]:
    """What can be asked for, by the names in paths."""
    ask = {"model": "tiny", "input": "Hi", "max_output_tokens": 3}
    endpoint = whole.post(ROOT, json={"name": "mine"}).json()["id"]
    deployment = {"name": "one", "model": "tiny", "autoscaling": {}}
    made = whole.post(f"{ROOT}/{endpoint}/deployments", json=deployment).json()["id"]
    return {
        "project_id": "test",
        "endpoint_id": endpoint,
        "deployment_id": made,
        "response_id": whole.post("/v1/responses", json=ask).json()["id"],
        "name": "tiny",
    }


def aim(case: Any, there: dict[str, str]) -> None:
    """Make a case ask for what there is; what it deletes is left to chance."""
    if case.method != "DELETE":
        case.path_parameters |= {name: there[name] for name in case.path_parameters}
    if isinstance(case.body, dict) and "model" in case.body:
        vectors = case.path in ("/v1/embeddings", "/v1/rerank")
        case.body["model"] = "vectors" if vectors else "tiny"


def test_no_request_makes_the_server_fail(
    whole: TestClient, there: dict[str, str], keys: Any, kept: Database
) -> None:
    headers = {"authorization": whole.headers["authorization"]}
    app = create_app(FakeEngine(room=10**6), ByKey(keys), kept, embedder=FakeEmbedder())
    answered = set()
    for found in schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations():

        @BOUNDED
        @given(case=found.ok().as_strategy())
        def hold(case: Any) -> None:
            aim(case, there)
            response = case.call(headers=headers)
            assert response.status_code < 500, (case.as_curl_command(), response.text)
            answered.update([case.operation.label] if response.status_code == 200 else [])

        hold()
    assert len(answered) > 20
