"""Fine-tuning by both official clients: real jobs, by real workers that may be killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
import together
from safetensors.numpy import load_file

from openhearth.inference import Engine
from openhearth.models import pull
from openhearth.platform import Keys
from openhearth.platform.finetuning.charges import tokens_done
from openhearth.store import Store
from openhearth.training import TrainRecipe, carry_out
from tests.platform.conftest import FakeEngine
from tests.platform.finetuning.conftest import FILES, unpacked
from tests.platform.finetuning.purse import CREDIT, Purse
from tests.platform.place import LONG, Place, place

FAST: dict[str, Any] = {
    "model": "tiny",
    "learning_rate": 0.01,
    "batch_size": 5,
    "packing": False,
    "max_seq_length": 128,
    "n_epochs": 2,
    "random_seed": 1,
    "verbose": False,
}


@pytest.fixture
def purse() -> Purse:
    return Purse()


@pytest.fixture
def there(
    engine: FakeEngine, keys: Keys, tmp_path: Path, tiny_directory: Path, purse: Purse
) -> Iterator[Place]:
    pull(Store(tmp_path / "home"), str(tiny_directory), name="tiny")
    with place(engine, tmp_path / "home", keys, purse) as made:
        yield made


@pytest.fixture
def files(there: Place, tmp_path: Path) -> dict[str, str]:
    """The ids of the files, by their names."""
    found = {}
    for name in ("questions", "held", "preferences"):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in FILES[name]))
        found[name] = there.openai().files.create(file=path, purpose="fine-tune").id
    return found


def test_the_life_of_a_job_by_together(
    there: Place, files: dict[str, str], purse: Purse, tmp_path: Path
) -> None:
    client = there.together()
    limits = client.fine_tuning.model_limits(model_name="tiny")
    assert limits.lora_training.default_rank == 16
    estimate = client.fine_tuning.estimate_price(
        training_file=files["questions"], model="tiny", n_epochs=2
    )
    assert estimate.estimation_available
    tokens = estimate.estimated_train_token_count
    assert tokens is not None
    assert estimate.estimated_total_price == 3 * tokens / CREDIT
    made = client.fine_tuning.create(
        training_file=files["questions"],
        validation_file=files["held"],
        n_evals=2,
        n_checkpoints=2,
        suffix="bot",
        **FAST,
    )
    assert (made.status, made.total_price) == ("queued", 30 * tokens)
    assert list(purse.held) == [made.id]
    assert client.fine_tuning.list_checkpoints(made.id).data == []
    with pytest.raises(together.BadRequestError, match="queued"):
        client.fine_tuning.content(ft_id=made.id)
    there.worker()
    there.until(made.id)
    settled(there, purse, made.id, 3 * tokens)
    found = client.fine_tuning.retrieve(made.id)
    assert found.status == "completed"
    assert found.token_count == tokens
    assert found.total_price == 30 * tokens
    assert found.x_model_output_name == "proj_a/tiny-bot:1"
    assert (purse.held, purse.owned) == ({}, CREDIT - 3 * tokens)
    (listed,) = client.fine_tuning.list().data
    assert (listed.id, listed.total_price) == (made.id, 30 * tokens)

    types = [event.type for event in client.fine_tuning.list_events(made.id).data]
    assert types[:2] == ["job_pending", "job_start"]
    assert types[-2:] == ["training_complete", "job_complete"]
    assert types.count("checkpoint_save") == 2
    rows = client.fine_tuning.list_metrics(made.id).metrics or []
    steps = [row["train/global_step"] for row in rows]
    assert steps == list(range(1, 9))
    assert [row["train/global_step"] for row in rows if "eval/loss" in row] == [4, 8]
    assert rows[-1]["train/loss"] < rows[0]["train/loss"]
    part = client.fine_tuning.list_metrics(made.id, global_step_from=3, global_step_to=7)
    assert [row["train/global_step"] for row in part.metrics or []] == [3, 4, 5, 6, 7]
    few = client.fine_tuning.list_metrics(made.id, resolution=2).metrics or []
    assert [row["train/global_step"] for row in few] == [1, 4, 8]
    late = client.fine_tuning.list_metrics(made.id, logged_at_from="2100-01-01T00:00:00Z")
    assert late.metrics == []

    middle, last = client.fine_tuning.list_checkpoints(made.id).data
    assert (middle.step, middle.path) == (4, "proj_a/tiny-bot:1-step-4")
    assert (last.step, last.path) == (8, "proj_a/tiny-bot:1")
    assert "intermediate" in middle.checkpoint_type.lower()
    store = Store(there.home)
    adapter = unpacked(client.fine_tuning.content(ft_id=made.id).read())
    assert set(adapter) == {"adapter_config.json", "adapter_model.safetensors"}
    weights = store.get(last.path).path("adapter_model.safetensors").read_bytes()
    assert adapter["adapter_model.safetensors"] == weights
    early = unpacked(client.fine_tuning.content(ft_id=made.id, checkpoint_step=4).read())
    assert early["adapter_model.safetensors"] != weights
    merged = unpacked(client.fine_tuning.content(ft_id=made.id, checkpoint="merged").read())
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(merged)
    dataset = client.fine_tuning.retrieve_tokenized_dataset(made.id)
    tokens_file = httpx.get(dataset.url)
    assert len(tokens_file.content) == dataset.size
    assert unpacked(tokens_file.content)
    assert httpx.get(f"{dataset.url[:-1]}!").status_code == 404

    again = client.fine_tuning.create(
        training_file=files["questions"], from_checkpoint=f"{made.id}:4", **FAST | {"model": None}
    )
    recipe = TrainRecipe.parse(there.find(again.id).payload["recipe"])
    assert recipe.start == "proj_a/tiny-bot:1-step-4"
    with pytest.raises(together.BadRequestError, match="cancel"):
        client.fine_tuning.delete(again.id)
    client.fine_tuning.delete(made.id)
    with pytest.raises(together.NotFoundError):
        client.fine_tuning.retrieve(made.id)
    with Engine("tiny", "proj_a/tiny-bot:1", store=store, dtype="float32", threads=1) as engine:
        assert engine.tokenizer("proj_a/tiny-bot:1")


def settled(there: Place, purse: Purse, job: str, price: int) -> None:
    """Wait until a job is paid."""
    deadline = time.monotonic() + LONG
    while job in purse.held or asyncio.run(there.charges.prices([job])) != {job: price}:
        assert time.monotonic() < deadline, purse
        time.sleep(0.05)


def test_the_life_of_a_job_by_openai(there: Place, files: dict[str, str]) -> None:
    client = there.openai()
    made = client.fine_tuning.jobs.create(
        model="tiny",
        training_file=files["preferences"],
        method={"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 2, "batch_size": 10}}},
        seed=7,
        suffix="nice",
        metadata={"team": "blue"},
    )
    assert (made.status, made.object, made.seed) == ("queued", "fine_tuning.job", 7)
    assert (made.fine_tuned_model, made.trained_tokens, made.error) == (None, None, None)
    assert made.method is not None
    assert made.method.type == "dpo"
    assert made.hyperparameters.n_epochs == 2
    assert made.hyperparameters.batch_size == 10
    for pausing in (client.fine_tuning.jobs.pause, client.fine_tuning.jobs.resume):
        with pytest.raises(openai.BadRequestError, match="not paused"):
            pausing(made.id)
    there.worker()
    there.until(made.id)
    found = client.fine_tuning.jobs.retrieve(made.id)
    assert (found.status, found.fine_tuned_model) == ("succeeded", "proj_a/tiny-nice:1")
    assert found.trained_tokens
    assert found.metadata == {"team": "blue"}
    assert found.finished_at
    events = list(client.fine_tuning.jobs.list_events(made.id, limit=3))
    messages = [event for event in events if event.type == "message"]
    assert messages[0].message == "The job has succeeded."
    steps = [event.data["step"] for event in events if event.type == "metrics"]  # type: ignore[index]
    assert steps == [4, 3, 2, 1]
    assert len({event.id for event in events}) == len(events)
    checkpoints = list(client.fine_tuning.jobs.checkpoints.list(made.id, limit=1))
    assert [kept.step_number for kept in checkpoints] == [4, 2]
    assert checkpoints[0].fine_tuned_model_checkpoint == "proj_a/tiny-nice:1"
    assert checkpoints[0].metrics.train_loss is not None
    other = client.fine_tuning.jobs.create(model="tiny", training_file=files["questions"])
    assert [job.id for job in client.fine_tuning.jobs.list(limit=1)] == [other.id, made.id]
    blue = client.fine_tuning.jobs.list(metadata={"team": "blue"})
    assert [job.id for job in blue] == [made.id]
    # Each dialect shows what the other has made.
    assert {job.id for job in there.together().fine_tuning.list().data} == {made.id, other.id}


def test_cancelled_it_pays_for_its_steps(there: Place, files: dict[str, str], purse: Purse) -> None:
    client = there.together()
    long = FAST | {"n_epochs": 900}
    waiting = client.fine_tuning.create(training_file=files["questions"], **long)
    assert client.fine_tuning.cancel(waiting.id).status == "cancelled"
    made = client.fine_tuning.create(training_file=files["questions"], **long | {"random_seed": 2})
    there.worker()
    there.until(made.id, lambda job: len(there.jobs.metrics(job.id)) > 3)
    assert client.fine_tuning.cancel(made.id).status == "cancel_requested"
    there.until(made.id)
    done = tokens_done(there.jobs, made.id)
    assert done > 0
    settled(there, purse, made.id, 3 * done)
    assert (purse.held, purse.owned) == ({}, CREDIT - 3 * done)
    found = client.fine_tuning.retrieve(made.id)
    assert (found.status, found.total_price) == ("cancelled", 30 * done)
    assert there.openai().fine_tuning.jobs.retrieve(made.id).status == "cancelled"


def test_killed_twice_it_makes_what_an_unbroken_run_makes(
    there: Place, files: dict[str, str], tmp_path: Path, tiny_directory: Path
) -> None:
    made = there.together().fine_tuning.create(
        training_file=files["questions"], **FAST | {"n_epochs": 40}
    )
    for attempt in (1, 2):
        seen = len(there.jobs.metrics(made.id))
        worker = there.worker()
        there.until(
            made.id,
            lambda job, n=attempt, s=seen: (
                job.attempt == n and len(there.jobs.metrics(job.id)) > s + 3
            ),
        )
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    there.worker()
    found = there.until(made.id)
    assert (found.state, found.attempt) == ("succeeded", 3), found.error
    whole = Store(tmp_path / "whole")
    pull(whole, str(tiny_directory), name="tiny")
    expected = carry_out(whole, TrainRecipe.parse(found.payload["recipe"]))
    result = Store(there.home).get("proj_a/tiny-tuned:1")
    assert result.digest == expected.digest
    name = "adapter_model.safetensors"
    ours, theirs = load_file(result.path(name)), load_file(expected.path(name))
    assert all(np.array_equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"model": "nobody"}, together.NotFoundError, "not served"),
        ({"model": "proj_b/tiny-bot:1"}, together.NotFoundError, "not served"),
        ({"training_file": "file-0"}, together.NotFoundError, "no file"),
        ({"training_file": "preferences"}, together.BadRequestError, "preference"),
        ({"training_method": "dpo"}, together.BadRequestError, "messages"),
        ({"learning_rate": 7.0}, together.BadRequestError, "learning_rate"),
        ({"n_evals": 2}, together.BadRequestError, "validation_file"),
        ({"wandb_api_key": "k"}, together.BadRequestError, "wandb_key"),
    ],
)
def test_what_makes_no_sense_is_refused_and_holds_nothing(
    there: Place, files: dict[str, str], purse: Purse, change: Any, error: Any, words: str
) -> None:
    asked = FAST | {"training_file": "questions"} | change
    asked["training_file"] = files.get(asked["training_file"], asked["training_file"])
    with pytest.raises(error, match=words):
        there.together().fine_tuning.create(**asked)
    assert not purse.held
    assert there.together().fine_tuning.list().data == []


def test_an_empty_wallet_is_told_before_anything_is_made(
    there: Place, files: dict[str, str], purse: Purse
) -> None:
    purse.owned = 10
    estimate = there.together().fine_tuning.estimate_price(
        training_file=files["questions"], model="tiny"
    )
    assert estimate.estimation_available
    assert estimate.allowed_to_proceed is False
    with pytest.raises(openai.APIStatusError) as refused:
        there.openai().fine_tuning.jobs.create(model="tiny", training_file=files["questions"])
    assert (refused.value.status_code, refused.value.code) == (402, "insufficient_credits")
    assert there.together().fine_tuning.list().data == []


def test_a_price_of_preferences_is_told_as_their_client_asks_for_it(
    there: Place, files: dict[str, str]
) -> None:
    made = there.together().fine_tuning.create(
        training_file=files["preferences"], training_method="dpo", **FAST
    )
    assert made.total_price


def test_another_project_sees_nothing(there: Place, files: dict[str, str]) -> None:
    made = there.together().fine_tuning.create(training_file=files["questions"], **FAST)
    digest = Store(there.home).get("tiny").digest
    tuning, jobs = there.together("proj_b").fine_tuning, there.openai("proj_b").fine_tuning.jobs
    assert tuning.list().data == []
    assert list(jobs.list()) == []
    asking: list[Any] = [
        tuning.retrieve,
        tuning.cancel,
        tuning.delete,
        tuning.list_events,
        tuning.list_metrics,
        tuning.list_checkpoints,
        tuning.retrieve_tokenized_dataset,
        lambda name: tuning.content(ft_id=name),
        jobs.retrieve,
        jobs.cancel,
        jobs.pause,
        lambda name: list(jobs.list_events(name)),
        lambda name: list(jobs.checkpoints.list(name)),
    ]
    for ask in asking:
        for name in (made.id, "ft-unknown", "job_x"):
            with pytest.raises((together.NotFoundError, openai.NotFoundError)):
                ask(name)
    with pytest.raises(openai.NotFoundError):
        jobs.create(model="tiny", training_file=files["questions"])
    for name in (f"{made.id}:1", made.id):
        with pytest.raises(together.NotFoundError):
            tuning.model_limits(model_name=name)
    with pytest.raises(together.NotFoundError):
        tuning.model_limits(model_name=digest)
    assert there.find(made.id).state == "queued"
