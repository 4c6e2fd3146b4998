"""The demo's server: up while it is needed, gone afterwards, however that comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from openhearth.bench.own_server import Server, running
from openhearth.cli.demo.clients import ask_clients
from openhearth.errors import HearthError


def is_up(url: str) -> bool:
    try:
        httpx.get(f"{url}/v1/models", timeout=5)
    except httpx.HTTPError:
        return False
    return True


@pytest.mark.system
def test_it_answers_the_official_clients_and_is_gone_afterwards(tiny_model_home: Path) -> None:
    with running(tiny_model_home, "tiny", "--adapter", "tiny-adapter") as server:
        answers = ask_clients(server, "tiny-adapter")
        wrong = Server(server.url, "not-the-key")
        assert httpx.get(f"{server.url}/v1/models").status_code == 401
        with pytest.raises(Exception, match="401"):
            ask_clients(wrong, "tiny")
    assert answers.keys() == {"openai", "together"}
    assert answers["openai"] == answers["together"]
    assert not is_up(server.url)
    assert not list((tiny_model_home / "tmp").iterdir())


@pytest.mark.system
def test_a_server_that_does_not_start_has_its_last_words(tiny_model_home: Path) -> None:
    with (
        pytest.raises(HearthError, match=r"did not start \(hearth: .*no-such-adapter"),
        running(tiny_model_home, "tiny", "--adapter", "no-such-adapter"),
    ):
        raise AssertionError("it came up")
    assert not list((tiny_model_home / "tmp").iterdir())


PARENT = """
import sys, time
from pathlib import Path
from openhearth.bench.own_server import running

with running(Path(sys.argv[1]), "tiny", "--adapter", "tiny-adapter") as server:
    print(server.url, flush=True)
    time.sleep(600)
"""


@pytest.mark.system
def test_it_does_not_outlive_a_killed_parent(tiny_model_home: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tiny_model_home)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        url = parent.stdout.readline().strip()
        assert is_up(url)
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while is_up(url):
        assert time.monotonic() < deadline, "the server is still there"
        time.sleep(0.1)
    for log in (tiny_model_home / "tmp").iterdir():
        log.unlink()
