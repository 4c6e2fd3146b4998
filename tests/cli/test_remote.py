"""`hearth jobs` and `hearth files` against a running server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openhearth.platform import Keys
from openhearth.platform.apart import Apart
from openhearth.platform.database import Database
from openhearth.platform.files import Files
from openhearth.platform.files import router as files_router
from openhearth.platform.jobs import Jobs
from openhearth.platform.jobs import router as jobs_router
from openhearth.platform.running import Running, only_one
from openhearth.store import Store
from tests.platform.area import Caller, application, serving

KINDS = ["count"]
A = Caller()


@dataclass
class Here:
    """What `hearth up` writes down of itself, and the server that it says."""

    running: Running
    jobs: Jobs


@pytest.fixture
def here(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    """A platform over the home of the commands, whose public address nobody could reach."""
    for name in ("OPENHEARTH_URL", "OPENHEARTH_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    Store()
    database, keys = Database.open(tmp_path / "platform.db"), Keys.open(tmp_path)
    made = Jobs(database)
    app = application(keys, jobs_router(made, {}))
    with serving(app, keys.create("proj_a")) as served, only_one(home) as say:
        found = Running(1, "https://example.org:1", served.url, served.key, 1)
        say(found)
        yield Here(found, made)
    database.close()


def test_what_runs_here_is_asked_where_it_listens_for_this_machine(
    hearth: Any, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = here.jobs.create("count", {}, caller=A).id
    assert job in hearth("jobs", "list").out
    monkeypatch.setenv("OPENHEARTH_URL", f"{here.running.url}/")
    assert job in hearth("jobs", "list").out
    # Another server is not told the key of this one.
    monkeypatch.setenv("OPENHEARTH_URL", here.running.local)
    assert "OPENHEARTH_API_KEY" in hearth("jobs", "list").err


@pytest.fixture
def jobs(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    """The jobs of a server that the commands find."""
    database, keys = Database.open(tmp_path / "platform.db"), Keys.open(tmp_path)
    made = Jobs(database)
    app = application(keys, jobs_router(made, {}), files_router(Files(database), Apart()))
    with serving(app, keys.create("proj_a")) as served:
        monkeypatch.setenv("OPENHEARTH_URL", served.url)
        monkeypatch.setenv("OPENHEARTH_API_KEY", served.key)
        yield made
    database.close()


def test_jobs_are_listed_and_cancelled(hearth: Any, jobs: Jobs) -> None:
    assert "There are no jobs" in hearth("jobs", "list").out
    first, second = (jobs.create("count", {}, caller=A).id for _ in range(2))
    shown = hearth("jobs", "list", "--limit", "1").out
    assert second in shown
    assert f"--after {second}" in shown
    listed = hearth("jobs", "list", "--after", second, "--json").json
    assert [job["id"] for job in listed["data"]] == [first]
    assert f"{first} is cancelled" in hearth("jobs", "cancel", first).out
    assert hearth("jobs", "cancel", second, "--json").json["status"] == "cancelled"


def test_jobs_are_watched_until_they_are_over(hearth: Any, jobs: Jobs) -> None:
    job = jobs.create("count", {}, caller=A).id
    lease = jobs.lease("w", KINDS)
    jobs.event(lease, "note", "half-way", {"step": 1})
    ending = threading.Timer(0.3, jobs.finish, [lease, {}])
    ending.start()
    watched = hearth("jobs", "watch", job)
    ending.join()
    assert watched.code == 0, watched.err
    assert "note  half-way  step=1" in watched.out
    logged = hearth("jobs", "logs", job, "--after", "2", "--json").out.splitlines()
    assert [json.loads(line)["type"] for line in logged] == ["note", "job_succeeded"]


def test_a_job_that_fails_fails_its_watch(hearth: Any, jobs: Jobs) -> None:
    job = jobs.create("count", {}, caller=A).id
    jobs.fail(jobs.lease("w", KINDS), "It cannot be done.", retry=False)
    watched = hearth("jobs", "watch", job)
    assert watched.code == 1
    assert "It cannot be done." in watched.out


def test_files_go_there_and_come_back(hearth: Any, jobs: Jobs, tmp_path: Path) -> None:
    path, back = tmp_path / "mine.jsonl", tmp_path / "back.jsonl"
    path.write_text('{"text": "one"}\n')
    assert "There are no files" in hearth("files", "list").out
    file = hearth("files", "upload", str(path), "--json").json["id"]
    assert "mine.jsonl" in hearth("files", "list", "--purpose", "fine-tune").out
    assert "mine.jsonl, 16 B, for fine-tune" in hearth("files", "get", file).out
    assert hearth("files", "get", file, "--out", str(back)).code == 0
    assert back.read_bytes() == path.read_bytes()
    assert "is gone" in hearth("files", "delete", file).out


def test_what_the_server_says_is_told_with_its_exit_code(
    hearth: Any, jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("{\n")
    wrong = hearth("files", "upload", str(path))
    assert (wrong.code, "Line 1 of mine.jsonl" in wrong.err) == (2, True)
    assert hearth("files", "upload", str(tmp_path / "none")).code == 3
    for command in (("jobs", "watch"), ("jobs", "logs"), ("jobs", "cancel"), ("files", "get")):
        missing = hearth(*command, "none_1")
        assert (missing.code, "There is no" in missing.err) == (3, True)
    monkeypatch.setenv("OPENHEARTH_API_KEY", "wrong")
    denied = hearth("jobs", "list")
    assert (denied.code, "OPENHEARTH_API_KEY" in denied.err) == (1, True)
    monkeypatch.setenv("OPENHEARTH_URL", "http://127.0.0.1:9")
    silent = hearth("jobs", "list")
    assert (silent.code, "`hearth up`" in silent.err) == (1, True)
