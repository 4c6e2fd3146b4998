"""The reference of the API against the application: each route and field is told as it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from fastapi.testclient import TestClient
from openai.types import batch_create_params as openai_batch
from openai.types import completion_create_params as openai_text
from openai.types import embedding_create_params as openai_embedding
from openai.types import file_create_params as openai_file
from openai.types.admin.organization import (
    invite_create_params,
    project_create_params,
    user_update_params,
)
from openai.types.chat import completion_create_params as openai_chat
from openai.types.fine_tuning import job_create_params as openai_tuning
from openai.types.responses import response_create_params as openai_responses
from pydantic import BaseModel
from together.lib.types.fine_tuning import FinetuneRequest
from together.types import batch_create_params as together_batch
from together.types import completion_create_params as together_text
from together.types import embedding_create_params as together_embedding
from together.types import eval_create_params as together_evals
from together.types import fine_tuning_estimate_price_params as together_estimate
from together.types import rerank_create_params as together_rerank
from together.types.chat import completion_create_params as together_chat
from together.types.fine_tuning_preview_params import FineTuningPreviewParams

from openhearth.platform import create_app
from openhearth.platform import parameters as of_both
from openhearth.platform.accounts.routes.invites import InviteBody
from openhearth.platform.accounts.routes.keys import AnyKeyBody
from openhearth.platform.accounts.routes.members import MemberBody
from openhearth.platform.accounts.routes.projects import ProjectBody
from openhearth.platform.accounts.routes.signup import Login, SignUp
from openhearth.platform.batches.asked import BatchRequest
from openhearth.platform.chat import ChatRequest
from openhearth.platform.completions import CompletionRequest
from openhearth.platform.database import Database
from openhearth.platform.embedding.embeddings import EmbeddingRequest
from openhearth.platform.embedding.rerank import RerankRequest
from openhearth.platform.evaluations.asked import Classify, Compare, Judge, Score, Subject
from openhearth.platform.files.routes import FORM, UNSERVED
from openhearth.platform.finetuning import OpenAIJob, PreviewRequest, TogetherJob
from openhearth.platform.finetuning import openai as openai_dialect
from openhearth.platform.finetuning import together as together_dialect
from openhearth.platform.finetuning.estimate import EstimateRequest
from openhearth.platform.gateway import opened
from openhearth.platform.jobs.routes import NewJob
from openhearth.platform.ledger.billing import PricesRequest
from openhearth.platform.operations import Metrics
from openhearth.platform.responses import asked
from openhearth.store import Store
from tests.platform.conftest import FakeEngine

PAGE = (Path(__file__).parents[2] / "docs/reference/api.md").read_text()


@dataclass(frozen=True)
class Told:
    """What takes a body, and what else the official clients know to send. Of a field that is there
    some are refused, or change nothing.
    """

    models: tuple[type[BaseModel], ...]
    params: tuple[Any, ...] = ()
    refused: Collection[str] = ()
    ignored: Collection[str] = ()

    def status(self) -> dict[str, str]:
        """Of each field."""
        strict = any(model.model_config.get("extra") == "forbid" for model in self.models)
        known = {name for kind in self.params for name in fields(kind)}
        found = dict.fromkeys(known, "refused" if strict else "ignored")
        found |= dict.fromkeys(set().union(*map(fields, self.models)), "supported")
        found |= dict.fromkeys(self.refused, "refused") | dict.fromkeys(self.ignored, "ignored")
        return found


def fields(kind: Any) -> set[str]:
    """What a shape has, ours or that of an official client."""
    is_model = issubclass(kind, BaseModel)
    return set(kind.model_fields if is_model else get_type_hints(kind))


def unserved(model: type[BaseModel], names: Collection[str]) -> set[str]:
    """What is refused by name, and is no field."""
    return {*names} - model.model_fields.keys()


BODIES = {
    "Chat": Told(
        (ChatRequest,),
        (
            openai_chat.CompletionCreateParamsStreaming,
            together_chat.CompletionCreateParamsStreaming,
        ),
        unserved(ChatRequest, of_both.UNSERVED),
    ),
    "Completions": Told(
        (CompletionRequest,),
        (
            openai_text.CompletionCreateParamsStreaming,
            together_text.CompletionCreateParamsStreaming,
        ),
        unserved(CompletionRequest, of_both.UNSERVED),
    ),
    "Responses": Told(
        (asked.ResponsesRequest,),
        (openai_responses.ResponseCreateParamsStreaming,),
        unserved(asked.ResponsesRequest, asked.UNSERVED),
    ),
    "Embeddings": Told(
        (EmbeddingRequest,),
        (openai_embedding.EmbeddingCreateParams, together_embedding.EmbeddingCreateParams),
    ),
    "Rerank": Told((RerankRequest,), (together_rerank.RerankCreateParams,)),
    "Fine-tuning jobs": Told(
        (OpenAIJob,), (openai_tuning.JobCreateParams,), openai_dialect.UNSERVED
    ),
    "Fine-tunes": Told((TogetherJob,), (FinetuneRequest,), together_dialect.UNSERVED),
    "Estimates": Told(
        (EstimateRequest,),
        (together_estimate.FineTuningEstimatePriceParams,),
        ignored=("n_evals",),
    ),
    "Previews": Told((PreviewRequest,), (FineTuningPreviewParams,)),
    "Batches": Told(
        (BatchRequest,),
        (openai_batch.BatchCreateParams, together_batch.BatchCreateParams),
        ("output_expires_after",),
        ("priority",),
    ),
    "Jobs": Told((NewJob,)),
    "Accounts": Told(
        (SignUp, Login, AnyKeyBody, ProjectBody, MemberBody, InviteBody),
        (
            project_create_params.ProjectCreateParams,
            invite_create_params.InviteCreateParams,
            user_update_params.UserUpdateParams,
        ),
    ),
    "Billing": Told((PricesRequest,)),
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
def platform(tmp_path: Path) -> Iterator[TestClient]:
    store = Store(tmp_path / "home")
    with (
        closing(Database.open(tmp_path / "platform.db")) as database,
        opened(database, store, 0) as services,
        TestClient(
            create_app(FakeEngine(), services.accounts, database, services=services)
        ) as client,
    ):
        yield client


def test_every_route_is_told_and_no_other(platform: TestClient) -> None:
    paths = platform.get("/openapi.json").json()["paths"]
    there = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert names(rows("Routes")).keys() == there


@pytest.mark.parametrize("section", BODIES)
def test_every_field_is_told_as_it_is(section: str) -> None:
    assert names(rows(section)) == BODIES[section].status()


REASONS: dict[str, Mapping[str, str]] = {
    "Chat": {name: reason for name, (_, reason) in of_both.UNSERVED.items()},
    "Completions": {name: reason for name, (_, reason) in of_both.UNSERVED.items()},
    "Responses": {name: reason for name, (_, reason) in asked.UNSERVED.items()},
    "Fine-tuning jobs": openai_dialect.UNSERVED,
    "Fine-tunes": together_dialect.UNSERVED,
}


@pytest.mark.parametrize("section", REASONS)
def test_reasons_are_those_that_are_given(section: str) -> None:
    told = {row[0].strip("`"): row[2] for row in rows(section) if row[1] == "refused"}
    assert told == {name: REASONS[section][name] for name in BODIES[section].refused}


def test_the_form_of_a_file_is_told() -> None:
    status = dict.fromkeys(FORM, "supported") | dict.fromkeys(UNSERVED, "refused")
    assert fields(openai_file.FileCreateParams) <= status.keys()
    assert names(rows("Files")) == status


def test_evaluations_are_told_with_what_is_within() -> None:
    kinds = (Classify, Score, Compare)
    parameters = {f"parameters.{name}" for kind in kinds for name in kind.model_fields}
    status = dict.fromkeys({"type", *parameters, *fields(Judge), *fields(Subject)}, "supported")
    status |= dict.fromkeys(("external_api_token", "external_base_url"), "refused")
    assert names(rows("Evaluations")) == status
    assert fields(together_evals.ParametersEvaluationScoreParametersJudge) <= status.keys()


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
