"""Our server and llama.cpp's as users start them, on free ports of this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import _llama_server
from _smollm import NAME

THREADS = 2
KEY = "a-key-for-benchmarks-only"
SLOTS, CONTEXT = 16, 32_768  # of llama-server: answers at once, and tokens of all together
DEADLINE = 120  # seconds to start


@dataclass(frozen=True)
class Server:
    """Where a server listens, the name of its model, and its process."""

    url: str
    model: str
    process: subprocess.Popen[bytes]

    def cpu(self) -> float:
        """Seconds that its threads have computed so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def hearth(home: str, *options: str) -> Iterator[Server]:
    """`hearth serve` with four-bit weights over the store at `home`."""
    command = [sys.executable, "-m", "openhearth.cli", "serve", NAME, "--dtype", "int4", *options]
    environment = os.environ | {"OPENHEARTH_HOME": home, "OPENHEARTH_API_KEY": KEY}
    with _running([*command, "--threads", str(THREADS)], NAME, environment) as server:
        yield server


@contextmanager
def llama_server(file: Path, *options: str) -> Iterator[Server]:
    """`llama-server` with flash attention and continuous batching."""
    sizes = {"-t": THREADS, "-np": SLOTS, "-c": CONTEXT, "-b": 2048, "-ub": 512}
    numbers = [str(part) for pair in sizes.items() for part in pair]
    command = [str(_llama_server.build() / "llama-server"), "-m", str(file), "-fa", "on", *numbers]
    with _running([*command, "--no-ui", "--log-disable", *options], NAME, os.environ) as server:
        yield server


@contextmanager
def _running(command: list[str], model: str, environment: Mapping[str, str]) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([*command, "--port", str(port)], env=environment, stdout=quiet)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        yield Server(url, model, process)
    finally:
        process.terminate()
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit("A server ended at its start: see its message above.")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except OSError:  # not yet
            time.sleep(0.1)
    raise SystemExit(f"The server at {url} did not start within {DEADLINE} s.")
