"""`hearth serve` in a process of its own, for as long as it is needed."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from openhearth.errors import HearthError
from openhearth.processes import attached, free_port

STARTING = 180.0  # seconds
ENDING = 30.0


@dataclass(frozen=True)
class Server:
    """Where it listens (without `/v1`), and a key to it."""

    url: str
    key: str


@contextlib.contextmanager
def running(home: Path, model: str, *options: str) -> Iterator[Server]:
    """A server of a model on a free port of this machine, stopped at the end.

    Raises:
        HearthError: it did not come up; the text has its last words.
    """
    server = Server(f"http://127.0.0.1:{free_port()}", secrets.token_urlsafe(32))
    command = [sys.executable, "-m", "openhearth.cli", "--home", str(home), "serve", model]
    command += [*options, "--port", server.url.rpartition(":")[2]]
    log = home / "tmp" / f"server-{server.url.rpartition(':')[2]}.log"
    with log.open("w+") as output:
        child = subprocess.Popen(
            attached(command),
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"OPENHEARTH_API_KEY": server.key},
            start_new_session=True,  # so that Ctrl-C reaches it only through us
        )
        try:
            _wait(child, server, log)
            yield server
        finally:
            _stop(child)
            log.unlink(missing_ok=True)


def _wait(child: subprocess.Popen[bytes], server: Server, log: Path) -> None:
    deadline = time.monotonic() + STARTING
    while not _answers(server):
        if child.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(errors="replace").strip().splitlines()[-1:]
            reason = words[0] if words else "it said nothing"
            raise HearthError(f"The server did not start ({reason}): try `hearth serve` alone.")
        time.sleep(0.1)


def _answers(server: Server) -> bool:
    headers = {"Authorization": f"Bearer {server.key}"}
    try:
        reply = httpx.get(f"{server.url}/v1/models", headers=headers, timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    return reply.status_code == 200


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(ENDING)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
