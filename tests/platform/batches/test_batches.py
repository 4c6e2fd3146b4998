"""Batches by both official clients, over real workers that may be killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import openai
import pytest
import together

from openhearth.platform.caller import Limits
from openhearth.platform.jobs import Job
from openhearth.platform.jobs.runners.batch import WORKERS
from tests.platform.area import Caller
from tests.platform.batches.conftest import chat
from tests.platform.conftest import SPEECH, FakeEngine
from tests.platform.place import Place
from tests.platform.place import rights as everything
from tests.waiting import until

ENDPOINT = "/v1/chat/completions"
Upload = Callable[..., str]


def rows(client: openai.OpenAI, file: str | None) -> list[dict[str, Any]]:
    assert file is not None
    return [json.loads(line) for line in client.files.content(file).text.splitlines()]


def said(seed: int) -> str:
    """What the engine says in eight tokens, which are bytes."""
    return SPEECH[seed:].encode()[:8].decode(errors="ignore")


def test_openai_answers_every_line_in_its_order(there: Place, upload: Upload) -> None:
    client = there.openai()
    lines = [chat(0), chat(1), chat(2, model="nobody"), chat(3, max_tokens=-1), chat(4)]
    batch = client.batches.create(
        completion_window="24h",
        endpoint=ENDPOINT,
        input_file_id=upload(lines),
        metadata={"for": "a test"},
    )
    assert (batch.status, batch.object, batch.metadata) == (
        "validating",
        "batch",
        {"for": "a test"},
    )
    assert batch.expires_at == batch.created_at + 24 * 3600
    there.worker()
    there.until(batch.id)
    done = client.batches.retrieve(batch.id)
    assert done.status == "completed"
    assert done.request_counts is not None
    assert done.usage is not None
    assert done.request_counts.to_dict() == {"total": 5, "completed": 3, "failed": 2}
    good = rows(client, done.output_file_id)
    assert [row["custom_id"] for row in good] == ["line 0", "line 1", "line 4"]
    for number, row in zip((0, 1, 4), good, strict=True):
        body = row["response"]["body"]
        assert body["choices"][0]["message"]["content"] == said(number)
        assert row["response"]["status_code"] == 200
        assert row["error"] is None
    assert done.usage.output_tokens == 24
    bad = rows(client, done.error_file_id)
    assert [(row["custom_id"], row["response"]["status_code"]) for row in bad] == [
        ("line 2", 404),
        ("line 3", 400),
    ]
    assert [found.id for found in client.batches.list()] == [batch.id]


def test_a_full_project_gets_what_it_paid_for(
    there: Place, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = there.openai()
    batch = client.batches.create(
        completion_window="24h", endpoint=ENDPOINT, input_file_id=upload([chat(0)])
    )
    monkeypatch.setattr(there.files, "_project_bytes", 1)
    with pytest.raises(openai.APIStatusError, match="delete files"):
        client.files.create(file=("a.txt", b"some more"), purpose="user_data")
    there.worker()
    assert there.until(batch.id).state == "succeeded"
    assert rows(client, client.batches.retrieve(batch.id).output_file_id)


def test_lines_that_were_deleted_end_the_batch_with_the_reason(
    there: Place, upload: Upload
) -> None:
    client, file = there.openai(), upload([chat(0)])
    batch = client.batches.create(completion_window="24h", endpoint=ENDPOINT, input_file_id=file)
    client.files.delete(file)
    there.worker()
    found = there.until(batch.id)
    assert (found.state, found.attempt) == ("failed", 1)
    assert "input file was deleted" in (found.error or "")


def test_together_submits_lists_and_reads(there: Place, upload: Upload) -> None:
    client = there.together()
    line = {"custom_id": "a", "body": {"messages": [{"role": "user", "content": "Hi"}]}}
    made = client.batches.create(
        endpoint=ENDPOINT, input_file_id=upload([line]), model_id="tiny"
    ).job
    assert made is not None
    assert made.id is not None
    assert (made.status, made.x_model_id) == ("VALIDATING", "tiny")
    there.worker()
    there.until(made.id)
    (done,) = client.batches.list()
    assert (done.id, done.status, done.progress) == (made.id, "COMPLETED", 100.0)
    assert client.batches.retrieve(made.id) == done
    assert done.output_file_id is not None
    text = client.files.content(done.output_file_id).read()
    assert json.loads(text)["response"]["body"]["model"] == "tiny"


def test_killed_anywhere_no_line_is_lost_or_named_twice(
    there: Place, upload: Upload, engine: FakeEngine
) -> None:
    client = there.openai()
    lines = [chat(n, model="slow", max_tokens=40) for n in range(60)]
    batch = client.batches.create(
        completion_window="24h", endpoint=ENDPOINT, input_file_id=upload(lines)
    )
    for done in (5, 25):
        worker = there.worker()
        there.until(
            batch.id, lambda job, done=done: (job.checkpoint or {}).get("completed", 0) >= done
        )
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    there.worker()
    there.until(batch.id)
    found = client.batches.retrieve(batch.id)
    assert found.request_counts is not None
    assert found.request_counts.completed == 60
    ids = [row["id"] for row in rows(client, found.output_file_id)]
    assert ids == [f"batch_req_{batch.id.removeprefix('batch_')}_{n}" for n in range(1, 61)]
    # What was answered before was not asked again; what was under way was.
    assert 60 <= len(engine.streams) <= 60 + 2 * 16


def test_cancelled_within_seconds_with_what_is_there(there: Place, upload: Upload) -> None:
    client = there.openai()
    lines = [chat(n, model="slow", max_tokens=100) for n in range(2000)]
    batch = client.batches.create(
        completion_window="24h", endpoint=ENDPOINT, input_file_id=upload(lines)
    )
    there.worker()
    there.until(batch.id, lambda job: (job.checkpoint or {}).get("completed", 0) > 0)
    assert client.batches.cancel(batch.id).status == "cancelling"
    there.until(batch.id)
    found = client.batches.retrieve(batch.id)
    assert found.status == "cancelled"
    assert found.request_counts is not None
    assert 0 < found.request_counts.completed < 2000
    assert len(rows(client, found.output_file_id)) == found.request_counts.completed


@pytest.mark.parametrize("state", ["running", "queued"])
def test_cancelled_without_a_worker_it_hands_in_what_is_there(
    there: Place, upload: Upload, engine: FakeEngine, state: str
) -> None:
    """Before or after its dead worker's lease runs out."""
    client = there.openai()
    lines = [chat(2001, model="nobody")]
    lines += [chat(n, model="slow", max_tokens=40) for n in range(2000)]
    batch = client.batches.create(
        completion_window="24h", endpoint=ENDPOINT, input_file_id=upload(lines)
    )
    worker = there.worker()
    there.until(batch.id, lambda job: (job.checkpoint or {}).get("completed", 0) >= 5)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    there.until(batch.id, lambda job: job.state == state)
    if state == "queued":
        assert client.batches.retrieve(batch.id).status == "in_progress"
    asked = len(engine.streams)
    assert client.batches.cancel(batch.id).status == "cancelling"
    there.worker()
    there.until(batch.id)
    found = client.batches.retrieve(batch.id)
    assert found.status == "cancelled"
    assert found.request_counts is not None
    good, bad = rows(client, found.output_file_id), rows(client, found.error_file_id)
    assert 5 <= len(good) == found.request_counts.completed < 2000
    assert [row["custom_id"] for row in bad] == ["line 2001"]
    assert len(engine.streams) <= asked + WORKERS  # those that were on their way to the gateway
    until(lambda: not (there.home / "jobs" / batch.id).exists())


def test_a_key_of_few_requests_does_not_hold_the_worker(
    there: Place, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rights(job: Job) -> Any:
        few = Limits(requests_per_minute=1) if job.project == "proj_b" else Limits()
        return replace(everything(job), limits=few)

    monkeypatch.setattr(there.entry, "_rights", rights)
    slow, fast = there.openai("proj_b"), there.openai()
    file = upload([chat(n) for n in range(20)], project="proj_b")
    waits = slow.batches.create(completion_window="24h", endpoint=ENDPOINT, input_file_id=file)
    there.worker()
    there.until(waits.id, lambda job: job.state == "queued" and job.attempt > 0)
    batch = fast.batches.create(
        completion_window="24h", endpoint=ENDPOINT, input_file_id=upload([chat(0)])
    )
    assert there.until(batch.id).state == "succeeded"
    assert slow.batches.retrieve(waits.id).status == "in_progress"
    assert "job_waiting" in [event.type for event in there.jobs.events(waits.id)]


def test_a_batch_whose_time_is_over_expires(there: Place, upload: Upload) -> None:
    client = there.openai()
    batch = client.batches.create(
        completion_window="24h", endpoint=ENDPOINT, input_file_id=upload([chat(0), chat(1)])
    )
    job = there.find(batch.id)
    late = there.jobs.create("batch", job.payload | {"deadline": 1}, caller=Caller(), id="batch_x")
    there.worker()
    there.until(late.id)
    found = client.batches.retrieve(late.id)
    assert (found.status, found.output_file_id) == ("expired", None)
    assert {row["error"]["code"] for row in rows(client, found.error_file_id)} == {"batch_expired"}


@pytest.mark.parametrize(
    ("change", "param", "words"),
    [
        ({"endpoint": "/v1/images/generations"}, "endpoint", "none of"),
        ({"completion_window": "soon"}, "completion_window", "24h"),
        ({"completion_window": "8d"}, "completion_window", "7d"),
        ({"output_expires_after": {"seconds": 1}}, "output_expires_after", "deleted"),
        ({"endpoint": "/v1/completions"}, "input_file_id", "Line 2"),
    ],
)
def test_what_makes_no_sense_is_refused(
    there: Place, upload: Upload, change: Any, param: str, words: str
) -> None:
    first = {"custom_id": "a", "body": {"model": "tiny"}}
    asked = {
        "endpoint": ENDPOINT,
        "completion_window": "24h",
        "input_file_id": upload([first, chat(1)]),
    }
    with pytest.raises(openai.BadRequestError, match=words) as refused:
        there.openai().batches.create(**(asked | change))
    assert refused.value.param == param


def test_lines_that_cannot_be_asked_are_refused_with_their_number(
    there: Place, upload: Upload
) -> None:
    nameless = {"custom_id": "b", "body": {"messages": []}}
    for bad, words in ((chat(1, stream=True), "Line 2.*stream"), (nameless, "Line 2.*model")):
        with pytest.raises(openai.BadRequestError, match=words):
            there.openai().batches.create(
                completion_window="24h", endpoint=ENDPOINT, input_file_id=upload([chat(0), bad])
            )
    with pytest.raises(AssertionError, match="Line 2"):
        upload([chat(0), {"body": {}}])
    with pytest.raises(openai.BadRequestError, match="uploaded for eval"):
        there.openai().batches.create(
            completion_window="24h", endpoint=ENDPOINT, input_file_id=upload([chat(0)], "evals")
        )


def test_another_project_sees_nothing(there: Place, upload: Upload) -> None:
    client, other = there.openai(), there.openai("proj_b")
    file = upload([chat(0)])
    batch = client.batches.create(completion_window="24h", endpoint=ENDPOINT, input_file_id=file)
    assert list(other.batches.list()) == []
    messages = set()
    for ask in (other.batches.retrieve, other.batches.cancel):
        for name in (batch.id, "batch_unknown", "job_x"):
            with pytest.raises(openai.NotFoundError) as refused:
                ask(name)
            messages.add(refused.value.message.replace(name, "…"))
    assert len(messages) == 1
    with pytest.raises(openai.NotFoundError):
        other.batches.create(completion_window="24h", endpoint=ENDPOINT, input_file_id=file)
    with pytest.raises(together.NotFoundError):
        there.together("proj_b").batches.retrieve(batch.id)


def test_the_key_of_a_job_ends_with_its_lease(there: Place, upload: Upload) -> None:
    batch = there.openai().batches.create(
        completion_window="24h", endpoint=ENDPOINT, input_file_id=upload([chat(0)])
    )
    leased = there.jobs.lease("me", ["batch"])
    assert leased is not None
    assert leased.id == batch.id
    authority = there.entry
    key = authority.admit(leased).key

    def ask(key: str) -> httpx.Response:
        return httpx.get(f"{there.url}/v1/batches", headers={"authorization": f"Bearer {key}"})

    assert ask(key).status_code == 200
    assert ask(f"{key[:-1]}{'0' if key[-1] != '0' else '1'}").status_code == 401
    there.jobs.release(leased)
    assert ask(key).status_code == 401
    again = there.jobs.lease("me", ["batch"])
    assert again is not None
    assert ask(key).status_code == 401
    assert ask(authority.admit(again).key).status_code == 200
