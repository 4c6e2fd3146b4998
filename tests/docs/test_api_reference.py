"""The reference of the API against the application: each route and field is told as it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from fastapi.testclient import TestClient
from openai.types import completion_create_params as openai_text
from openai.types import embedding_create_params as openai_embedding
from openai.types.chat import completion_create_params as openai_chat
from openai.types.responses import response_create_params as openai_responses
from together.types import completion_create_params as together_text
from together.types import embedding_create_params as together_embedding
from together.types import rerank_create_params as together_rerank
from together.types.chat import completion_create_params as together_chat

from openhearth.platform import Keys, create_app
from openhearth.platform import parameters as of_both
from openhearth.platform.chat import ChatRequest
from openhearth.platform.completions import CompletionRequest
from openhearth.platform.database import Database
from openhearth.platform.embedding.embeddings import EmbeddingRequest
from openhearth.platform.embedding.rerank import RerankRequest
from openhearth.platform.operations import Metrics
from openhearth.platform.responses import asked
from tests.platform.conftest import FakeEngine

PAGE = (Path(__file__).parents[2] / "docs/reference/api.md").read_text()
BODIES: dict[str, tuple[Any, Any, list[Any]]] = {
    "Chat": (
        ChatRequest,
        of_both.UNSERVED,
        [
            openai_chat.CompletionCreateParamsStreaming,
            together_chat.CompletionCreateParamsStreaming,
        ],
    ),
    "Completions": (
        CompletionRequest,
        of_both.UNSERVED,
        [
            openai_text.CompletionCreateParamsStreaming,
            together_text.CompletionCreateParamsStreaming,
        ],
    ),
    "Responses": (
        asked.ResponsesRequest,
        asked.UNSERVED,
        [openai_responses.ResponseCreateParamsStreaming],
    ),
    "Embeddings": (
        EmbeddingRequest,
        {},
        [openai_embedding.EmbeddingCreateParams, together_embedding.EmbeddingCreateParams],
    ),
    "Rerank": (RerankRequest, {}, [together_rerank.RerankCreateParams]),
}


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the tables of a section, without their heads."""
    _, found, rest = PAGE.partition(f"\n## {heading}\n")
    assert found
    for line in rest.partition("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| ") and not line.startswith(
            ("| Field", "| Route", "| Name", "| Stat")
        ):
            yield cells


def names(cells: Iterable[list[str]]) -> dict[str, str]:
    """The second cell of each row by the name in the first."""
    return {row[0].strip("`"): row[1] for row in cells}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    keys, database = Keys.open(tmp_path), Database.open(tmp_path / "platform.db")
    with TestClient(create_app(FakeEngine(), keys, database)) as opened:
        yield opened
    database.close()


def test_every_route_is_told_and_no_other(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    there = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert names(rows("Routes")).keys() == there


@pytest.mark.parametrize("section", BODIES)
def test_every_field_is_told_as_it_is(section: str) -> None:
    model, unserved, params = BODIES[section]
    known = {name for kind in params for name in get_type_hints(kind)}
    status = dict.fromkeys(known, "ignored")
    status |= dict.fromkeys(unserved, "refused")
    status |= dict.fromkeys(model.model_fields, "supported")
    assert names(rows(section)) == status


@pytest.mark.parametrize("section", ["Chat", "Completions", "Responses"])
def test_reasons_are_those_that_are_given(section: str) -> None:
    model, unserved, _ = BODIES[section]
    told = {row[0].strip("`"): row[2] for row in rows(section) if row[1] == "refused"}
    refused = unserved.keys() - model.model_fields.keys()
    assert told == {name: unserved[name][1] for name in refused}


def codes(tree: ast.AST) -> Iterator[str]:
    """The codes of the errors in a source file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given = [word.value for word in node.keywords if word.arg == "code"]
            if isinstance(node.func, ast.Name) and node.func.id == "bad_request":
                given += node.args[2:]
            yield from (code.value for code in given if isinstance(code, ast.Constant))


def test_codes_are_those_of_the_source() -> None:
    files = (Path(__file__).parents[2] / "src/openhearth/platform").glob("**/*.py")
    there = {code for file in files for code in codes(ast.parse(file.read_text()))}
    told = {code for row in rows("Errors") for code in re.findall(r"`(\w+)`", row[1])}
    assert told == there


def test_metrics_are_all_told() -> None:
    text = Metrics().response().body.decode()
    there = set(re.findall(r"^# TYPE (\w+) (?:counter|gauge|histogram)", text, re.MULTILINE))
    told = names(rows("Metrics")).keys()
    assert told == {name for name in there if not name.endswith("_created")}
