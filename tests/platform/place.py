"""A whole platform for tests of jobs: a gateway in a thread, a broker, and workers as processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
import together
from fastapi import APIRouter

from openhearth.fleet.broker import Broker
from openhearth.fleet.bus import Bus
from openhearth.platform import Keys, batches, chat, completions, evaluations, files, finetuning
from openhearth.platform import jobs as job_area
from openhearth.platform.apart import Apart
from openhearth.platform.caller import SCOPES, Caller, Limits
from openhearth.platform.database import Database
from openhearth.platform.files import Files
from openhearth.platform.finetuning import Charges
from openhearth.platform.jobs import Entry, Job, Jobs, JobService, Lines
from openhearth.store import Store
from tests.platform.area import application, serving

ROOT = Path(__file__).parents[2]
LONG = 600  # seconds: nothing here is about time, but nothing may last for ever
KINDS = "fine-tune,batch,evaluation"
SECONDS = 2.0  # of a lease


class Authority:
    """The keys of callers, and those of jobs, which are named by their projects."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.entry: Entry[Caller] | None = None

    def is_slow_to_check(self, presented: str) -> bool:
        return self.entry is not None and self.entry.is_slow_to_check(presented)

    def check(self, presented: str) -> Caller | None:
        found = self.entry.check(presented) if self.entry else None
        return found or self._keys.check(presented)


def rights(job: Job) -> Caller:
    """All that its project may do."""
    return Caller(job.project, job.project, job.organisation, None, "owner", SCOPES, Limits())


@dataclass
class Place:
    """Where the gateway is, what it is made of, and workers."""

    url: str
    bus: str
    home: Path
    keys: Keys
    jobs: Jobs
    files: Files
    charges: Charges
    entry: Entry[Caller]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _keys: dict[str, str] = field(default_factory=dict)
    _clients: list[Any] = field(default_factory=list)

    def key(self, project: str) -> str:
        """One of the project, always the same."""
        if project not in self._keys:
            self._keys[project] = self.keys.create(project)
        return self._keys[project]

    def openai(self, project: str = "proj_a") -> openai.OpenAI:
        client = openai.OpenAI(
            base_url=f"{self.url}/v1",
            api_key=self.key(project),
            max_retries=0,
            _strict_response_validation=True,
        )
        self._clients.append(client)
        return client

    def together(self, project: str = "proj_a") -> together.Together:
        client = together.Together(
            base_url=self.url,
            api_key=self.key(project),
            max_retries=0,
            _strict_response_validation=True,
        )
        self._clients.append(client)
        return client

    def upload(self, path: Path, purpose: str, project: str = "proj_a") -> str:
        """The id of a file. OpenAI's client does not know all purposes that it sends."""
        headers = {"authorization": f"Bearer {self.key(project)}"}
        with path.open("rb") as file:
            reply = httpx.post(
                f"{self.url}/v1/files",
                headers=headers,
                data={"purpose": purpose},
                files={"file": (path.name, file)},
                timeout=LONG,
            )
        assert reply.status_code == 200, reply.text
        return str(reply.json()["id"])

    def worker(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "openhearth.platform.jobs.worker"]
        options = ["--bus", self.bus, "--home", str(self.home), "--kinds", KINDS]
        started = subprocess.Popen(
            [*command, *options], cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": "1"}
        )
        self.workers.append(started)
        return started

    def end(self) -> None:
        for client in self._clients:
            client.close()
        for worker in self.workers:
            worker.kill()
            worker.wait()

    def until(self, job: str, wanted: Callable[[Job], bool] = lambda job: job.is_over) -> Job:
        """The job as soon as it is as wanted; it is over by default."""
        deadline = time.monotonic() + LONG
        while not wanted(found := self.find(job)):
            assert time.monotonic() < deadline, found
            assert not found.is_over, found
            time.sleep(0.05)
        return found

    def find(self, job: str) -> Job:
        found = self.jobs.find(job)
        assert found is not None
        return found


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def place(
    engine: Any, home: Path, keys: Keys, books: Any = None, more: Sequence[APIRouter] = ()
) -> Iterator[Place]:
    """One over an engine, with the store in `home`; its workers end with it."""
    home.mkdir(parents=True, exist_ok=True)
    database = Database.open(f"sqlite:///{home / 'platform.db'}")
    jobs = Jobs(database)
    store, kept = Store(home), Files(database, (home / "files").as_uri())
    charges = Charges(database, jobs, books)
    routers: list[APIRouter] = [chat.router(engine), completions.router(engine)]
    apart = Apart()
    routers += [files.router(kept, apart), job_area.router(jobs, {})]
    routers += [finetuning.router(store, jobs, kept, charges, apart)]
    routers += [batches.router(jobs, kept), evaluations.router(engine, jobs, kept), *more]
    authority = Authority(keys)
    app = application(authority, *routers, within=[Lines])
    with serving(app, "") as served, Broker() as broker, running() as loop:
        authority.entry = Entry(served.url, jobs, rights)
        bus = loop.run(Bus.connect(broker.url, "gateway"))
        service = JobService(jobs, bus, authority.entry).serving()
        settling = charges.running()
        loop.run(service.__aenter__())
        loop.run(settling.__aenter__())
        made = Place(served.url, broker.url, home, keys, jobs, kept, charges, authority.entry)
        try:
            yield made
        finally:
            made.end()
            loop.run(settling.__aexit__(None, None, None))
            loop.run(service.__aexit__(None, None, None))
            loop.run(bus.close())
    database.close()


@contextmanager
def running() -> Iterator[Loop]:
    loop = Loop()
    try:
        yield loop
    finally:
        loop.end()
