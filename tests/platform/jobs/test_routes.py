"""`/v1/jobs` over HTTP: pages, bad input, other projects, and live events."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from openhearth.errors import NotFound
from openhearth.platform import Keys
from openhearth.platform.jobs import Jobs, router, submit
from tests.platform.area import Caller, application, serving

RECIPE = {"source": "file-1", "rules": ["gopher"], "name": "clean"}
DATA = {"kind": "data", "recipe": RECIPE}


def file(job: str, project: str) -> Path:
    if (job, project) != ("file-1", "proj_a"):
        raise NotFound(f"There is no file {job!r}.")
    return Path("/files/1.jsonl")


@pytest.fixture
def app(jobs: Jobs, keys: Keys) -> Any:
    return application(keys, router(jobs, {"data": submit.data(file)}))


@pytest.fixture
def http(app: Any, keys: Keys) -> Iterator[TestClient]:
    headers = {"authorization": f"Bearer {keys.create('proj_a')}"}
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        yield client


def test_a_data_job_reads_a_file_and_writes_a_name_of_its_project(
    http: TestClient, jobs: Jobs
) -> None:
    made = http.post("/v1/jobs", json=DATA).json()
    assert (made["object"], made["kind"], made["status"]) == ("job", "data", "queued")
    assert "/files" not in json.dumps(made)
    assert http.get(f"/v1/jobs/{made['id']}").json() == made
    payload = jobs.get(made["id"], "proj_a").payload
    assert (payload["source"], payload["name"]) == ("/files/1.jsonl", "proj_a/clean")


def test_an_idempotency_key_makes_one_job(http: TestClient) -> None:
    headers = {"idempotency-key": "abc"}
    first, second = (http.post("/v1/jobs", json=DATA, headers=headers).json() for _ in range(2))
    assert first["id"] == second["id"]
    other = DATA | {"recipe": RECIPE | {"seed": 1}}
    assert http.post("/v1/jobs", json=other, headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"kind": "data"}, 400, "recipe"),
        ({"kind": "fine-tune", "recipe": {}}, 400, "not made here"),
        ({"kind": "\0", "recipe": {}}, 400, "kind"),
        ({"kind": "data", "recipe": RECIPE | {"source": "/etc/passwd"}}, 404, "no file"),
        ({"kind": "data", "recipe": RECIPE | {"source": "file-2"}}, 404, "no file"),
        ({"kind": "data", "recipe": RECIPE | {"rules": ["/etc/x.toml"]}}, 400, "names of sets"),
        ({"kind": "data", "recipe": RECIPE | {"evaluations": {"a": "/etc"}}}, 400, "places"),
        ({"kind": "data", "recipe": RECIPE | {"tokens": {"tokenizer": "/etc"}}}, 400, "tokenizer"),
        ({"kind": "data", "recipe": RECIPE | {"tokens": {"tokenizer": "p/x"}}}, 400, "tokenizer"),
        ({"kind": "data", "recipe": RECIPE | {"name": "../x"}}, 400, "cannot name"),
        ({"kind": "data", "recipe": RECIPE | {"nothing": 1}}, 400, "nothing"),
    ],
)
def test_what_is_wrong_is_said(http: TestClient, body: Any, status: int, said: str) -> None:
    reply = http.post("/v1/jobs", json=body)
    assert reply.status_code == status
    assert said in reply.json()["error"]["message"]
    assert http.get("/v1/jobs").json()["data"] == []


def test_lists_have_pages(http: TestClient) -> None:
    made = [http.post("/v1/jobs", json=DATA).json()["id"] for _ in range(3)]
    page = http.get("/v1/jobs", params={"limit": 2, "kind": "data"}).json()
    assert ([job["id"] for job in page["data"]], page["has_more"]) == (made[:0:-1], True)
    rest = http.get("/v1/jobs", params={"after": page["last_id"]}).json()
    assert ([job["id"] for job in rest["data"]], rest["has_more"]) == (made[:1], False)
    wrong = http.get("/v1/jobs", params={"after": "job_none"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "invalid_cursor")
    assert http.get("/v1/jobs", params={"limit": 0}).status_code == 400


def test_another_project_finds_nothing(http: TestClient, jobs: Jobs) -> None:
    theirs = jobs.create("data", {}, caller=Caller("proj_b")).id
    assert http.get("/v1/jobs").json()["data"] == []
    for job in (theirs, "job_none", "%00", "%F0%9F%94%A5"):
        for method, path in [
            ("GET", ""),
            ("POST", "/cancel"),
            ("GET", "/events"),
            ("GET", "/metrics"),
        ]:
            reply = http.request(method, f"/v1/jobs/{job}{path}")
            assert reply.status_code == 404, reply.text
            assert reply.json()["error"]["code"] == "job_not_found"
    assert jobs.get(theirs, "proj_b").state == "queued"


def test_events_and_metrics_are_pages(http: TestClient, jobs: Jobs) -> None:
    job = http.post("/v1/jobs", json=DATA).json()["id"]
    lease = jobs.lease("w", ["data"])
    jobs.metric(lease, [_metric(step) for step in range(3)])
    page = http.get(f"/v1/jobs/{job}/events", params={"limit": 1}).json()
    assert (page["data"][0]["type"], page["has_more"]) == ("job_pending", True)
    rest = http.get(f"/v1/jobs/{job}/events", params={"after": 1}).json()
    assert [event["type"] for event in rest["data"]] == ["job_start"]
    metrics = http.get(f"/v1/jobs/{job}/metrics", params={"after": 0, "limit": 1}).json()
    assert (metrics["data"][0]["values"], metrics["has_more"]) == ({"loss": 0.5}, True)
    assert http.post(f"/v1/jobs/{job}/cancel").json()["status"] == "cancelling"


def _metric(step: int) -> Any:
    from openhearth.platform.jobs import Metric

    return Metric(step, {"loss": 1 / (step + 1)})


def test_events_stream_until_the_job_is_over(app: Any, keys: Keys, jobs: Jobs) -> None:
    job = jobs.create("data", {}, caller=Caller()).id
    with serving(app, keys.create("proj_a")) as served:
        headers = {"authorization": f"Bearer {served.key}", "accept": "text/event-stream"}
        url, lines = f"{served.url}/v1/jobs/{job}/events", []
        with httpx.stream("GET", url, headers=headers, timeout=30) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            for line in filter(None, response.iter_lines()):
                lines.append(line)
                if len(lines) == 1:  # it has begun; now something happens
                    threading.Thread(target=jobs.cancel, args=(job, "proj_a")).start()
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert [event["type"] for event in events] == ["job_pending", "job_cancelled"]
    assert [event["number"] for event in events] == [1, 2]
    assert lines[-1] == "data: [DONE]"
