"""Requests that fit the description of the API never make the server fail."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings

from tests.platform.batches.conftest import chat
from tests.platform.conftest import FakeEngine
from tests.platform.finetuning.conftest import question

schemathesis = pytest.importorskip("schemathesis")
BOUNDED = settings(
    max_examples=20,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
MODELS = ("model", "model_id", "model_name")
SHUTS = "/archive"  # what would shut us out


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(room=10**6)


@pytest.fixture
def upload(everything: TestClient) -> Any:
    def send(purpose: str, rows: list[dict[str, Any]]) -> str:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        form: Any = {"data": {"purpose": purpose}, "files": {"file": ("rows.jsonl", text)}}
        return everything.post("/v1/files", **form).json()["id"]

    return send


@pytest.fixture
def there(everything: TestClient, upload: Any) -> dict[str, str]:
    """What can be asked for, by the names in paths and bodies."""

    def made(path: str, body: dict[str, Any], field: str = "id") -> str:
        return everything.post(path, json=body).json()[field]

    project = everything.get("/v3/whoami").json()["project"]["id"]
    root = f"/v2/projects/{project}/endpoints"
    endpoint = made(root, {"name": "mine"})
    lines, examples = upload("batch", [chat(0)]), upload("fine-tune", [question(0)])
    asked = {"endpoint": "/v1/chat/completions", "input_file_id": lines}
    judge = {"model": "tiny", "model_source": "serverless", "system_template": "{{ said }}"}
    rows = upload("eval", [{"said": "so"}])
    parameters = {
        "judge": judge,
        "input_data_file_path": rows,
        "labels": ["a"],
        "pass_labels": ["a"],
    }
    return {
        "project_id": project,
        "endpoint_id": endpoint,
        "deployment_id": made(
            f"{root}/{endpoint}/deployments", {"name": "one", "model": "tiny", "autoscaling": {}}
        ),
        "response_id": made("/v1/responses", {"model": "tiny", "input": "Hi"}),
        "name": "tiny",
        "file": lines,
        "input_file_id": lines,
        "training_file": examples,
        "batch": made("/v1/batches", asked),
        "job": made("/v1/fine-tunes", {"training_file": examples, "model": "tiny"}),
        "evaluation": made(
            "/v1/evaluation", {"type": "classify", "parameters": parameters}, "workflow_id"
        ),
    }


def aim(case: Any, there: dict[str, str]) -> None:
    """Make a case ask for what there is; what it deletes is left to chance."""
    if case.method != "DELETE" and not case.path.endswith(SHUTS):
        case.path_parameters |= {
            name: there[name] for name in case.path_parameters if name in there
        }
    if isinstance(case.body, dict):
        vectors = case.path in ("/v1/embeddings", "/v1/rerank")
        model = "vectors" if vectors else "tiny"
        case.body |= dict.fromkeys(case.body.keys() & MODELS, model)
        case.body |= {name: there[name] for name in case.body.keys() & there.keys()}
        if "from_checkpoint" in case.body and "model" in case.body:
            del case.body["from_checkpoint"]
    for name in (case.query or {}).keys() & MODELS:
        case.query[name] = "tiny"


def test_no_request_makes_the_server_fail(everything: TestClient, there: dict[str, str]) -> None:
    headers = {"authorization": everything.headers["authorization"]}
    answered = set()
    described = schemathesis.openapi.from_asgi("/openapi.json", everything.app)
    for found in described.get_all_operations():

        @BOUNDED
        @given(case=found.ok().as_strategy())
        def hold(case: Any) -> None:
            aim(case, there)
            response = case.call(headers=headers)
            assert response.status_code < 500, (case.as_curl_command(), response.text)
            answered.update([case.operation.label] if response.status_code == 200 else [])

        hold()
    assert len(answered) > 50
