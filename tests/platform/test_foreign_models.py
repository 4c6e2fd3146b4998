"""A model of another project is refused by every route, in the words for one that there is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from openhearth.inference.request import ModelCard
from openhearth.models import pull
from openhearth.platform import Keys, catalogue, endpoints, models, responses
from openhearth.platform.database import Database
from openhearth.platform.endpoints import Standing
from openhearth.store import Store
from tests.platform.conftest import CONTEXT, ByteTokenizer, FakeEmbedder, FakeEngine
from tests.platform.finetuning.conftest import question
from tests.platform.place import Place, place

OWNED = "proj_b/tiny-bot:1"
UNKNOWN = "proj_b/tiny-toy:1"
NAMES = (OWNED, UNKNOWN, "nobody")
TALK: dict[str, Any] = {"max_tokens": 4, "messages": [{"role": "user", "content": "Hi"}]}
JUDGE = {"model_source": "serverless", "system_template": "Judge {{ said }}"}

Ask = Callable[[str, str], httpx.Response]


class Owned(FakeEngine):
    """Serves a model of the project `proj_b` too."""

    def models(self) -> list[ModelCard]:
        return [*super().models(), ModelCard(OWNED, "ef" * 32, CONTEXT, base="tiny")]

    def tokenizer(self, model: str) -> ByteTokenizer:
        return ByteTokenizer() if model == OWNED else super().tokenizer(model)


@pytest.fixture
def there(keys: Keys, kept: Database, tmp_path: Path, tiny_directory: Path) -> Iterator[Place]:
    home, engine, embedder = tmp_path / "home", Owned(), FakeEmbedder()
    for name in ("tiny", OWNED):
        pull(Store(home), str(tiny_directory), name=name)
    more: list[Any] = [
        models.router(engine, embedder),
        catalogue.router(engine, embedder, list),
        responses.router(engine, kept),
        endpoints.router(engine, kept, Standing(engine)),
    ]
    with place(engine, home, keys, more=more) as made:
        yield made


def send(there: Place, project: str, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"authorization": f"Bearer {there.key(project)}"}
    return httpx.request(method, f"{there.url}{path}", headers=headers, json=body)


def file(there: Place, tmp_path: Path, purpose: str, rows: list[Any], project: str) -> str:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return there.upload(path, purpose, project)


@pytest.fixture(params=["chat", "completions", "responses", "endpoints", "models", "catalogue"])
def generate(request: pytest.FixtureRequest, there: Place) -> Ask:
    """Something that needs no file, asked of a model by a project."""
    endpoint: dict[str, str] = {}

    def ask(project: str, model: str) -> httpx.Response:
        if request.param == "endpoints":
            root = f"/v2/projects/{project}/endpoints"
            if project not in endpoint:
                made = send(there, project, "POST", root, {"name": "mine"})
                endpoint[project] = made.json()["id"]
            body = {"name": "one", "model": model, "autoscaling": {}, "validateOnly": True}
            return send(there, project, "POST", f"{root}/{endpoint[project]}/deployments", body)
        method, path, body = {
            "chat": ("POST", "/v1/chat/completions", TALK),
            "completions": ("POST", "/v1/completions", {"prompt": "Hi", "max_tokens": 4}),
            "responses": ("POST", "/v1/responses", {"input": "Hi", "max_output_tokens": 4}),
            "models": ("GET", f"/v1/models/{model}", None),
            "catalogue": ("GET", f"/v2/supported-models/{model}", None),
        }[request.param]
        return send(there, project, method, path, body and body | {"model": model})

    return ask


@pytest.fixture(params=["together", "checkpoint", "openai", "estimate", "limits", "evaluation"])
def make(request: pytest.FixtureRequest, there: Place, tmp_path: Path) -> Ask:
    """A job, or what is told before one is made, asked of a model by a project."""

    def ask(project: str, model: str) -> httpx.Response:
        if request.param == "limits":
            path = f"/v1/fine-tunes/models/limits?model_name={model}"
            return send(there, project, "GET", path)
        if request.param == "evaluation":
            data = file(there, tmp_path, "evals", [{"said": "so"}], project)
            parameters = {
                "judge": JUDGE | {"model": model},
                "input_data_file_path": data,
                "min_score": 0,
                "max_score": 1,
                "pass_threshold": 0.5,
            }
            body = {"type": "score", "parameters": parameters}
            return send(there, project, "POST", "/v1/evaluation", body)
        data = file(there, tmp_path, "fine-tune", [question(1)], project)
        field = "from_checkpoint" if request.param == "checkpoint" else "model"
        path = {
            "openai": "/v1/fine_tuning/jobs",
            "estimate": "/v1/fine-tunes/estimate-price",
        }.get(request.param, "/v1/fine-tunes")
        return send(there, project, "POST", path, {"training_file": data, field: model})

    return ask


def refused_alike(ask: Ask) -> None:
    """Its own project may; the other one is told the same of all three names."""
    assert ask("proj_b", OWNED).status_code == 200
    told = {}
    for name in NAMES:
        reply = ask("proj_a", name)
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "model_not_found")
        told[reply.text.replace(name, "NAME")] = name
    assert len(told) == 1, told


def test_generations_know_only_ones_own(generate: Ask) -> None:
    refused_alike(generate)


def test_jobs_know_only_ones_own(make: Ask) -> None:
    refused_alike(make)


def test_lists_show_only_ones_own(there: Place) -> None:
    for project, seen in (("proj_a", set()), ("proj_b", {OWNED})):
        for path in ("/v1/models", "/v2/supported-models"):
            listed = send(there, project, "GET", path).json()["data"]
            assert {one["id"] for one in listed} == {"tiny", "me/tiny:2", "vectors"} | seen


def test_a_step_of_anothers_version_says_nothing_of_it(
    there: Place, tmp_path: Path, tiny_directory: Path
) -> None:
    pull(Store(there.home), str(tiny_directory), name=f"{OWNED}-step-3")
    data = file(there, tmp_path, "fine-tune", [question(1)], "proj_a")
    told = set()
    for name in (f"{OWNED}:3", f"{UNKNOWN}:3"):
        body = {"training_file": data, "from_checkpoint": name}
        told.add(send(there, "proj_a", "POST", "/v1/fine-tunes", body).text.replace(name, "NAME"))
    assert len(told) == 1


def test_lines_of_a_batch_know_only_ones_own(there: Place, tmp_path: Path) -> None:
    there.worker()
    for project, good in (("proj_a", 0), ("proj_b", 1)):
        rows = [{"custom_id": name, "body": TALK | {"model": name}} for name in NAMES]
        data = file(there, tmp_path, "batch", rows, project)
        client = there.openai(project)
        batch = client.batches.create(
            completion_window="24h", endpoint="/v1/chat/completions", input_file_id=data
        )
        result = there.until(batch.id).result or {}
        assert (result["completed"], result["failed"]) == (good, 3 - good)
        lines = client.files.content(result["error_file"]).text.splitlines()
        told = set()
        for line in map(json.loads, lines):
            assert line["response"]["status_code"] == 404
            text = json.dumps(line["response"]["body"])
            told.add(text.replace(line["custom_id"], "NAME"))
        assert len(told) == 1
