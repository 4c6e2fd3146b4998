"""Fine-tuning and batches over `hearth up` by the unmodified official clients, workers killed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import together

from tests.platform.batches.conftest import chat
from tests.platform.finetuning.conftest import unpacked
from tests.system.up import ONE_THREAD, Platform, copy_of, running
from tests.waiting import until

pytestmark = pytest.mark.system

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = DOCS / "how-to/tune-over-the-api.md"
PROSE = sorted((DOCS / "explanation").glob("*.md"))
TRAINING = 50  # units for a token, by the prices that ship
ENDPOINT: Any = "/v1/chat/completions"
WEIGHTS = "adapter_model.safetensors"
LONG: dict[str, Any] = {
    "n_epochs": 5,
    "batch_size": 2,
    "max_seq_length": 256,
    "learning_rate": 1e-2,
    "random_seed": 3,
}


@pytest.fixture(scope="module")
def server(tiny_model_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    home = copy_of(tiny_model_home, tmp_path_factory.mktemp("up") / "home")
    with running(home, **ONE_THREAD) as platform:
        yield platform


@pytest.fixture
def tog(server: Platform) -> Iterator[together.Together]:
    with client_of(server) as client:
        yield client


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Paragraphs that people read, as a file to learn from."""
    paragraphs = [part for path in PROSE for part in path.read_text().split("\n\n")]
    chosen = [part for part in paragraphs if len(part) > 300][:40]
    path = tmp_path_factory.mktemp("text") / "prose.jsonl"
    path.write_text("".join(json.dumps({"text": part[:200]}) + "\n" for part in chosen))
    return path


def client_of(platform: Platform) -> together.Together:
    """Together's, which tries again as it does by itself."""
    return together.Together(base_url=platform.url, api_key=platform.key, timeout=60)


def get(platform: Platform, path: str) -> Any:
    headers = {"authorization": f"Bearer {platform.key}"}
    response = httpx.get(f"{platform.url}{path}", headers=headers, timeout=60)
    response.raise_for_status()
    return response.json()


def paid(platform: Platform, request: str) -> int:
    """What an id was charged, once nothing is held any more, in units."""
    until(lambda: get(platform, "/v1/billing/balance")["held_units"] == 0)
    return get(platform, f"/v1/billing/receipts/{request}")["total_units"]


def finished(platform: Platform, job: str) -> dict[str, Any]:
    """The job once it is over, well."""
    found = until(lambda: _over(get(platform, f"/v1/jobs/{job}")))
    assert found["status"] == "succeeded", found
    return found


def _over(job: dict[str, Any]) -> dict[str, Any] | None:
    return job if job["finished_at"] else None


def test_openai_tunes_on_text_follows_it_and_asks_the_result(
    server: Platform, oai: openai.OpenAI, text: Path
) -> None:
    file = oai.files.create(file=text, purpose="fine-tune")
    made = oai.fine_tuning.jobs.create(
        model="tiny",
        training_file=file.id,
        seed=1,
        suffix="reader",
        method={
            "type": "supervised",
            "supervised": {
                "hyperparameters": {
                    "n_epochs": 2,
                    "batch_size": 8,
                    "learning_rate_multiplier": 5.0,
                }
            },
        },
    )
    assert made.status == "queued"
    seen: dict[str, Any] = {}

    def is_told() -> bool:
        for event in oai.fine_tuning.jobs.list_events(made.id, limit=100):
            seen[event.id] = event
        assert oai.fine_tuning.jobs.retrieve(made.id).status != "failed"
        return "The job has succeeded." in {event.message for event in seen.values()}

    until(is_told)
    steps = sorted(
        (event.data["step"], event.data["train_loss"])
        for event in seen.values()
        if event.type == "metrics" and "train_loss" in event.data
    )
    assert [step for step, _ in steps] == list(range(1, 11))
    assert steps[-1][1] < steps[0][1]
    done = oai.fine_tuning.jobs.retrieve(made.id)
    assert done.status == "succeeded"
    assert done.fine_tuned_model
    assert done.fine_tuned_model.endswith("/tiny-reader:1")
    assert done.trained_tokens
    assert paid(server, made.id) == TRAINING * done.trained_tokens
    assert done.fine_tuned_model in {model.id for model in oai.models.list()}
    ask: Any = {"messages": [{"role": "user", "content": "What is a node?"}], "max_tokens": 8}
    fixed: Any = ask | {"temperature": 0, "logit_bias": {"2": -100, "4": -100}}
    reply = oai.chat.completions.create(model=done.fine_tuned_model, **fixed)
    assert reply.usage
    assert reply.usage.completion_tokens == 8
    kept = list(oai.fine_tuning.jobs.checkpoints.list(made.id))
    assert [one.step_number for one in kept] == [10, 5]
    early = oai.chat.completions.create(model=kept[1].fine_tuned_model_checkpoint, **fixed)
    assert early.choices


def test_together_tunes_on_text_follows_it_and_asks_the_result(
    tog: together.Together, text: Path
) -> None:
    file = tog.files.upload(text, purpose="fine-tune")
    made = tog.fine_tuning.create(
        model="tiny",
        training_file=file.id or "",
        n_epochs=1,
        batch_size=8,
        learning_rate=5e-3,
        suffix="reader-too",
        random_seed=1,
    )

    def types() -> list[str]:
        assert tog.fine_tuning.retrieve(made.id).status != "error"
        return [str(event.type) for event in tog.fine_tuning.list_events(made.id).data]

    until(lambda: types()[-1] == "job_complete")
    assert {"job_pending", "job_start", "training_start", "training_complete"} <= {*types()}
    done = tog.fine_tuning.retrieve(made.id)
    assert done.status == "completed"
    name = done.x_model_output_name
    assert name
    assert name.endswith("/tiny-reader-too:1")
    chunks = tog.chat.completions.create(
        model=name,
        messages=[{"role": "user", "content": "What is a node?"}],
        max_tokens=8,
        temperature=0,
        stream=True,
    )
    assert any(chunk.choices[0].delta.content for chunk in chunks if chunk.choices)


def test_the_guide_does_what_it_says(server: Platform, text: Path, tmp_path: Path) -> None:
    shutil.copy(text, tmp_path / "lines.jsonl")
    first = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)[0]
    done = subprocess.run(
        [sys.executable, "-c", first.replace("smollm2-135m", "tiny")],
        cwd=tmp_path,
        env=os.environ | {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": server.key},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "The job has succeeded." in done.stdout.splitlines()


def begun(platform: Platform, text: Path) -> str:
    """A job of some dozens of steps."""
    with client_of(platform) as client:
        file = client.files.upload(text, purpose="fine-tune")
        made = client.fine_tuning.create(model="tiny", training_file=file.id or "", **LONG)
        return made.id


def weights(platform: Platform, job: str) -> bytes:
    with client_of(platform) as client:
        return unpacked(client.fine_tuning.content(ft_id=job).read())[WEIGHTS]


def kill_in_the_middle(platform: Platform, job: str, attempt: int) -> None:
    """Kill the worker (kill -9) once this attempt has made some steps."""
    worker = platform.state()["processes"]["worker"]
    before = len(get(platform, f"/v1/jobs/{job}/metrics")["data"])

    def is_under_way() -> bool:
        found = get(platform, f"/v1/jobs/{job}")
        assert not _over(found), found
        steps = len(get(platform, f"/v1/jobs/{job}/metrics")["data"])
        return found["attempts"] == attempt and steps > before + 2

    until(is_under_way)
    os.kill(worker, signal.SIGKILL)
    until(lambda: platform.state()["processes"]["worker"] not in (None, worker))


def test_killed_twice_it_makes_the_same_weights_and_is_charged_once(
    server: Platform, tiny_model_home: Path, text: Path, tmp_path: Path
) -> None:
    with running(copy_of(tiny_model_home, tmp_path / "home"), **ONE_THREAD) as other:
        whole = begun(other, text)
        finished(other, whole)
        expected = weights(other, whole)
        price = paid(other, whole)
    before = get(server, "/v1/billing/balance")["balance_units"]
    job = begun(server, text)
    for attempt in (1, 2):
        kill_in_the_middle(server, job, attempt)
    assert finished(server, job)["attempts"] == 3
    assert weights(server, job) == expected
    assert paid(server, job) == price > 0
    assert before - get(server, "/v1/billing/balance")["balance_units"] == price


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_batches_of_openai_answer_what_can_be_answered(
    server: Platform, oai: openai.OpenAI, tmp_path: Path
) -> None:
    bad = write(tmp_path / "bad.jsonl", [chat(0), {"custom_id": "a"}])
    with pytest.raises(openai.BadRequestError, match="Line 2"):
        oai.files.create(file=bad, purpose="batch")
    lines = [chat(0), chat(1, model="nobody"), chat(2)]
    file = oai.files.create(file=write(tmp_path / "lines.jsonl", lines), purpose="batch")
    batch = oai.batches.create(
        completion_window="24h", endpoint=ENDPOINT, input_file_id=file.id, metadata={"a": "b"}
    )
    until(lambda: oai.batches.retrieve(batch.id).status == "completed")
    done = oai.batches.retrieve(batch.id)
    assert done.request_counts
    assert done.request_counts.to_dict() == {"total": 3, "completed": 2, "failed": 1}
    assert done.output_file_id
    assert done.error_file_id
    good = rows(oai.files.content(done.output_file_id).text)
    assert [row["custom_id"] for row in good] == ["line 0", "line 2"]
    for row in good:
        usage = row["response"]["body"]["usage"]
        assert paid(server, row["response"]["request_id"]) == usage["cost"] > 0
    (wrong,) = rows(oai.files.content(done.error_file_id).text)
    assert wrong["response"]["body"]["error"]["code"] == "model_not_found"


def test_batches_of_together_answer_what_can_be_answered(
    tog: together.Together, tmp_path: Path
) -> None:
    lines = [chat(0), chat(1, temperature=-1)]
    path = write(tmp_path / "lines.jsonl", lines)
    file = tog.files.upload(path, purpose="batch-api", check=False)
    made = tog.batches.create(endpoint=ENDPOINT, input_file_id=file.id or "").job
    assert made
    assert made.id
    until(lambda: tog.batches.retrieve(made.id or "").status == "COMPLETED")
    done = tog.batches.retrieve(made.id)
    for name, status in ((done.output_file_id, 200), (done.error_file_id, 400)):
        (row,) = rows(tog.files.content(name or "").read().decode())
        assert row["response"]["status_code"] == status
