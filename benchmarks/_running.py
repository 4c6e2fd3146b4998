"""A server in a process of its own, on a free port of this machine."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openhearth.processes import LOOPBACK, attached, free_port

DEADLINE = 600  # seconds to start: vLLM compiles its model at first, for minutes


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
def running(
    command: list[str], model: str, environment: Mapping[str, str], alive: str = "/health"
) -> Iterator[Server]:
    """A server that is told its `--port`, and answers at the path `alive` when it is ready."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    with process([*command, "--port", str(port)], environment) as server:
        wait(url + alive, server)
        yield Server(url, model, server)


@contextmanager
def process(
    command: list[str],
    environment: Mapping[str, str],
    files: tuple[int, ...] = (),
    log: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block; it has these descriptors, and `log` for its errors."""
    quiet = subprocess.DEVNULL
    begun = subprocess.Popen(
        attached(command), env=environment, stdout=quiet, stderr=log, pass_fds=files
    )
    try:
        yield begun
    finally:
        begun.terminate()
        begun.wait()


def wait(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until something answers at a URL."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit("A server ended at its start: see its message above.")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:  # not yet
            time.sleep(0.01)
    raise SystemExit(f"The server at {url} did not start within {DEADLINE} s.")
