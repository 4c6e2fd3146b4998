"""What goes through whole files: apart from the gateway, which goes on answering meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from openhearth.models import pull
from openhearth.platform import create_app
from openhearth.platform.apart import Apart
from openhearth.platform.caller import CREDIT
from openhearth.platform.database import Database
from openhearth.platform.files import File
from openhearth.platform.finetuning import Asked, TogetherJob
from openhearth.platform.finetuning.counting import Counting
from openhearth.platform.gateway import opened
from openhearth.platform.metering.ledger_meter import LedgerMeter
from openhearth.store import Store
from openhearth.training.preview import preview
from tests.platform.conftest import FakeEngine, running
from tests.platform.finetuning.conftest import FILES
from tests.waiting import WAIT, until

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}


@pytest.fixture
def http(
    engine: FakeEngine, kept: Database, tmp_path: Path, tiny_directory: Path
) -> Iterator[httpx.Client]:
    """A client of the owner's, of a real server with all that there is."""
    store = Store(tmp_path / "home")
    pull(store, str(tiny_directory), name="tiny")
    with ExitStack() as stack:
        services = stack.enter_context(opened(kept, store, 25 * CREDIT))
        meter = LedgerMeter(services.ledger)
        app = create_app(engine, services.accounts, kept, meter=meter, services=services)
        headers = {"authorization": f"Bearer {services.accounts.first_start()}"}
        url = stack.enter_context(running(app))
        yield stack.enter_context(httpx.Client(base_url=url, headers=headers, timeout=WAIT))


def uploaded(http: httpx.Client, name: str = "questions") -> str:
    data = "".join(json.dumps(row) + "\n" for row in FILES[name])
    answer = http.post("/v1/files", data={"purpose": "fine-tune"}, files={"file": ("a", data)})
    return str(answer.json()["id"])


def apart() -> list[int]:
    """The processes of ours in which work is done."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            status, command = (path / "stat").read_text(), (path / "cmdline").read_text()
        except OSError:  # it has ended
            continue
        parent = int(status.rpartition(")")[2].split()[1])
        if parent == os.getpid() and "openhearth.platform.apart.child" in command:
            found.append(int(path.name))
    return found


@contextmanager
def stopped() -> Iterator[Callable[[], int]]:
    """The function waits for a process of ours where work is done, and stops it until the end."""
    known = set(apart())
    held: list[int] = []

    def stop() -> int:
        held.extend(until(lambda: set(apart()) - known))
        os.kill(held[0], signal.SIGSTOP)
        return held[0]

    try:
        yield stop
    finally:
        for process in held:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


def test_others_are_answered_while_prices_are_estimated(http: httpx.Client) -> None:
    body = {"training_file": uploaded(http), "model": "tiny"}

    def estimate(_: int) -> httpx.Response:
        return http.post("/v1/fine-tunes/estimate-price", json=body)

    with ThreadPoolExecutor(5) as threads:
        with stopped() as stop:
            asked = [threads.submit(estimate, number) for number in range(5)]
            stop()
            refused = until(lambda: [one.result() for one in asked if one.done()])
            assert [answer.status_code for answer in refused] == [429]
            assert refused[0].json()["error"]["code"] == "rate_limit_exceeded"
            assert refused[0].headers["retry-after"]
            assert http.get("/healthz").status_code == 200
            assert http.get("/v1/files").json()["data"][0]["id"] == body["training_file"]
            assert http.post("/v1/chat/completions", json=CHAT).json()["choices"]
            assert len([one for one in asked if one.done()]) == 1
        answers = [one.result(WAIT) for one in asked]
    counts = [answer.json().get("estimated_train_token_count") for answer in answers]
    assert counts.count(None) == 1
    assert len(set(counts)) == 2


def test_what_breaks_there_is_told_and_the_next_is_answered(http: httpx.Client) -> None:
    body = {"training_file": uploaded(http), "model": "tiny"}
    with ThreadPoolExecutor(1) as threads, stopped() as stop:
        asked = threads.submit(http.post, "/v1/fine-tunes/preview", json=body)
        os.kill(stop(), signal.SIGKILL)
        answer = asked.result(WAIT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "too_much_work")
    assert http.post("/v1/fine-tunes/preview", json=body).json()["rows"]


def test_an_estimate_leaves_nothing_in_the_store(http: httpx.Client, tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    before = store.digests()
    body = {"training_file": uploaded(http), "model": "tiny"}
    assert http.post("/v1/fine-tunes/estimate-price", json=body).status_code == 200
    assert store.digests() == before


class Here(Apart):
    """Does at once what is asked for, and counts it."""

    def __init__(self) -> None:
        self.done = 0

    async def do(self, function: Any, *, owner: str, reads: int, **arguments: Any) -> bytes:
        self.done += 1
        return bytes(function(**arguments))


def test_a_content_is_counted_once_as_the_run_counts_it(store: Store, asked: Asked) -> None:
    here = Here()
    counting = Counting(store, here)

    def count(name: str, **more: Any) -> None:
        body = TogetherJob.model_validate({"model": "tiny", "training_file": name} | more)
        recipe = body.recipe(asked)
        counted = counting.tokens(recipe, content(name), None, "me")
        assert asyncio.run(counted) == preview(store, recipe, 0).tokens

    for name in ("questions", "texts", "long"):
        for _ in range(2):
            count(name)
    assert here.done == 3
    count("preferences", training_method={"method": "dpo"})
    count("long", max_seq_length=64)
    count("questions", train_on_inputs=True)
    assert here.done == 6


def content(name: str) -> File:
    """An uploaded file whose content has this name for a digest."""
    return File("file-1", "fine-tune", "a.jsonl", 1, name, None, 0, "blob")
