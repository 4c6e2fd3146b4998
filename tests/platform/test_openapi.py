"""The description of the API is open and complete, and what it describes never fails by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

BODIES = (
    "ChatRequest",
    "CompletionRequest",
    "ResponsesRequest",
    "EmbeddingRequest",
    "RerankRequest",
    "OpenAIJob",
    "TogetherJob",
    "EstimateRequest",
    "PreviewRequest",
    "BatchRequest",
    "ClassifyRequest",
    "ScoreRequest",
    "CompareRequest",
    "NewJob",
    "SignUp",
    "Login",
    "KeyBody",
)
OPEN = {
    "GET /health",
    "GET /healthz",
    "GET /readyz",
    "POST /v1/signup",
    "POST /v1/login",
    "PUT /v1/files/uploads/{ticket}",
    "GET /v1/finetune/dataset",
}
BYTES = {
    "GET /metrics",
    "GET /v1/files/{file}/content",
    "GET /v1/finetune/dataset",
    "GET /v1/finetune/download",
}


@pytest.fixture
def schema(everything: TestClient) -> dict[str, Any]:
    headers = {"authorization": ""}
    return everything.get("/openapi.json", headers=headers).json()


def operations(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    }


def test_every_operation_says_what_it_answers_and_how_it_fails(schema: dict[str, Any]) -> None:
    found = operations(schema)
    assert len(found) > 80
    for name, operation in found.items():
        answers = operation["responses"]
        assert "422" not in answers
        for status in ("400", "401", "404", "413", "429", "500"):
            shape = answers[status]["content"]["application/json"]["schema"]
            assert shape == {"$ref": "#/components/schemas/ErrorReply"}
        if name in BYTES:
            assert answers["200"]["content"].keys(), name
        else:
            assert answers["200"]["content"]["application/json"]["schema"], name
    unsafe = {name for name, operation in found.items() if not operation["security"]}
    assert unsafe == OPEN


def test_references_lead_somewhere(schema: dict[str, Any]) -> None:
    text = json.dumps(schema)
    shapes = schema["components"]["schemas"]
    for reference in set(text.split("#/components/schemas/")[1:]):
        assert reference.partition('"')[0] in shapes


@pytest.mark.parametrize("name", BODIES)
def test_examples_fit_their_schema(name: str, schema: dict[str, Any]) -> None:
    shape = schema["components"]["schemas"][name]
    validator = Draft202012Validator(shape | {"components": schema["components"]})
    assert shape["examples"]
    for example in shape["examples"]:
        validator.validate(example)
