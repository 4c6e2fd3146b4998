"""A real `hearth serve` in a process of its own, over a small random model and its adapter."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

STARTING_SECONDS = 120
ENDING_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """Where the child process listens, the key that it showed, and its id."""

    url: str
    key: str
    pid: int


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def greeting(child: subprocess.Popen[str]) -> tuple[str, str]:
    """The URL and the key that a starting server prints."""
    assert child.stdout
    text = ""
    for line in child.stdout:
        text += line
        url, key = re.search(r"http://[\w.:]+", text), re.search(r"oh-[\w-]{40,}", text)
        if url and key:
            return url[0], key[0]
    raise AssertionError(f"The server ended before it was ready:\n{text}")


@dataclass(frozen=True)
class Demo:
    """What `hearth demo` left: its store, its words, its report."""

    home: Path
    said: str
    report: Path

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.report / "summary.json").read_text())


def hearth(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of its own process, to its end, whatever that is."""
    return subprocess.run(
        [sys.executable, "-m", "openhearth.cli", "--home", str(home), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def run_demo(home: Path, report: Path, *arguments: str) -> Demo:
    """The demo in short form; it must succeed, which includes that the tuned model is better."""
    done = hearth(home, "demo", "--short", "--report", str(report), *arguments)
    assert done.returncode == 0, done.stderr + done.stdout
    return Demo(home, done.stdout, report)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo over the packages installed here, with the real model."""
    return run_demo(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("report"))


@contextmanager
def serving(home: Path, *arguments: str) -> Iterator[Server]:
    """`hearth serve`, which at the end is stopped with Ctrl-C and must end cleanly."""
    command = ["serve", *arguments, "--port", str(free_port())]
    environment = os.environ | {"OPENHEARTH_HOME": str(home)}
    environment.pop("OPENHEARTH_API_KEY", None)
    # The store is shared by the modules, but a key is shown only where there is none yet.
    (home / "keys.json").unlink(missing_ok=True)
    child = subprocess.Popen(
        [sys.executable, "-m", "openhearth.cli", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    with child:
        starting = threading.Timer(STARTING_SECONDS, child.kill)
        starting.start()
        try:
            url, key = greeting(child)
            starting.cancel()
            yield Server(url, key, child.pid)
            child.send_signal(signal.SIGINT)
            assert child.wait(ENDING_SECONDS) == 0
        finally:
            starting.cancel()
            child.kill()


@pytest.fixture(scope="module")
def server(tiny_model_home: Path) -> Iterator[Server]:
    """A server of the small random model and its adapter."""
    with serving(tiny_model_home, "tiny", "--adapter", "tiny-adapter") as running:
        yield running
