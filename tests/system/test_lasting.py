"""Two `hearth up`, one after the other, with empty homes over one lasting place and database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.system.up import ONE_THREAD, Platform, hearth, running
from tests.waiting import until

pytestmark = pytest.mark.system

FIXED: Any = {
    "messages": [{"role": "user", "content": "What is a node?"}],
    "max_tokens": 8,
    "temperature": 0,
    "logit_bias": {"2": -100, "4": -100},  # the tokens that end an answer
}


def client_of(platform: Platform) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{platform.url}/v1", api_key=platform.key)


def tuned(client: openai.OpenAI, examples: Path) -> str:
    """The name of a model made by a job."""
    file = client.files.create(file=examples, purpose="fine-tune")
    method: Any = {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 1, "batch_size": 4}},
    }
    job = client.fine_tuning.jobs.create(
        model="tiny", training_file=file.id, seed=1, suffix="far", method=method
    )
    until(lambda: client.fine_tuning.jobs.retrieve(job.id).finished_at)
    done = client.fine_tuning.jobs.retrieve(job.id)
    assert done.fine_tuned_model, done.error
    return done.fine_tuned_model


def answer(client: openai.OpenAI, model: str) -> str | None:
    return client.chat.completions.create(model=model, **FIXED).choices[0].message.content


def test_a_model_made_on_one_machine_answers_on_another(
    tiny_model_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there"
    monkeypatch.setenv("OPENHEARTH_STORE", there.as_uri())
    sent = hearth(tiny_model_home, "push")
    assert sent.returncode == 0, sent.stderr
    examples = tmp_path / "examples.jsonl"
    examples.write_text("".join(json.dumps({"text": f"Fire {i}."}) + "\n" for i in range(8)))
    shared = ONE_THREAD | {"OPENHEARTH_DATABASE": f"sqlite:///{tmp_path / 'books.db'}"}
    with running(tmp_path / "one", **shared) as one, client_of(one) as client:
        name = tuned(client, examples)
        said = answer(client, name)
        assert {"tiny", "tiny-adapter", name} <= {model.id for model in client.models.list()}
        (upload,) = (there / "files").rglob("*.jsonl")
        assert upload.read_bytes() == examples.read_bytes()
    with running(tmp_path / "two", **shared) as two, client_of(two) as client:
        assert {"tiny", "tiny-adapter", name} <= {model.id for model in client.models.list()}
        assert answer(client, name) == said
        (file,) = client.files.list(purpose="fine-tune")
        assert client.files.content(file.id).read() == examples.read_bytes()
        gone = hearth(tmp_path / "three", "rm", name)
        assert gone.returncode == 0, gone.stderr
        until(lambda: name not in {model.id for model in client.models.list()})
        assert answer(client, "tiny")
