"""What a job's process makes of a gateway's answers, and of none."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from openhearth.errors import HearthError
from openhearth.platform.jobs import gateway as gateways
from openhearth.platform.jobs.entry import Pass
from openhearth.platform.jobs.gateway import Gateway
from openhearth.platform.jobs.task import Again, Later, Stopped, TooLate

NEVER = 2.0**60


class Server(ThreadingHTTPServer):
    """Answers with one status after another, the last again and again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []
        self.wait = ""  # what it says with each of them
        self.heard: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.heard.append(dict(self.headers))
        statuses = self.server.statuses
        self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
        self.send_header("content-length", "2")
        if self.server.wait:
            self.send_header("retry-after", self.server.wait)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def gateway(server: Server) -> Iterator[Gateway]:
    made = Gateway(Pass(server.url, "job.1"), lambda: None, NEVER)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("statuses", "status", "tries"),
    [
        ([200], 200, 1),
        ([400], 400, 1),
        ([402], 402, 1),
        ([429, 503, 200], 200, 3),
        ([500, 200], 200, 2),
        ([500], 500, 3),
    ],
)
def test_what_may_go_well_is_tried_again(
    server: Server, gateway: Gateway, statuses: list[int], status: int, tries: int
) -> None:
    server.statuses = statuses
    assert gateway.post("/v1/x", {}, "7").status == status
    assert len(server.heard) == tries
    assert {heard["x-job-line"] for heard in server.heard} == {"7"}
    assert {heard["authorization"] for heard in server.heard} == {"Bearer job.1"}


def test_a_key_that_has_ended_ends_the_attempt(server: Server, gateway: Gateway) -> None:
    server.statuses = [401]
    with pytest.raises(Again, match="key"):
        gateway.post("/v1/x", {}, "7")


def test_nobody_there_ends_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways, "PATIENCE", 0.2)
    gateway = Gateway(Pass("http://127.0.0.1:1", "job.1"), lambda: None, NEVER)
    with pytest.raises(Again, match="does not answer"):
        gateway.post("/v1/x", {}, "7")
    gateway.close()


def test_whoever_is_to_end_asks_no_more(server: Server) -> None:
    def stop() -> None:
        raise Stopped(False)

    server.statuses = [200]
    gateway = Gateway(Pass(server.url, "job.1"), stop, NEVER)
    with pytest.raises(Stopped):
        gateway.post("/v1/x", {}, "7")
    assert gateway.unhurried().post("/v1/x", {}, "7").good
    gateway.close()


def test_a_wait_that_is_long_is_not_waited_out(server: Server, gateway: Gateway) -> None:
    server.statuses, server.wait = [429], "40"
    with pytest.raises(Later) as later:
        gateway.post("/v1/x", {}, "7")
    assert later.value.seconds == 40
    assert len(server.heard) == 1


def test_many_short_waits_without_an_answer_are_a_long_one(
    server: Server, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateways, "HELD_SECONDS", 0.5)
    server.statuses = [503]
    with pytest.raises(Later) as later:
        gateway.post("/v1/x", {}, "7")
    assert later.value.seconds == 0.5
    assert len(server.heard) > 1


def test_after_the_deadline_nothing_is_asked_but_what_was_made_is_kept(
    server: Server, tmp_path: Path
) -> None:
    server.statuses = [200]
    made = tmp_path / "made.jsonl"
    made.write_text("{}")
    gateway = Gateway(Pass(server.url, "job.1"), lambda: None, time.time() - 60)
    with pytest.raises(TooLate):
        gateway.post("/v1/x", {}, "7")
    assert server.heard == []
    with pytest.raises(KeyError):  # the answer has no id
        gateway.keep(made, "eval", time.time() + 60)
    assert len(server.heard) == 1
    with pytest.raises(HearthError, match="within a day"):
        gateway.keep(made, "eval", time.time() - 1)
    gateway.close()
