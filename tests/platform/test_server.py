"""The port is checked first, and signals end the server cleanly."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import openhearth
from openhearth.errors import HearthError
from openhearth.platform import check_port, serve
from openhearth.platform.keys import Keys

HERE = Path(__file__).parent
CHILD = """
import sys, signal
signal.signal(signal.SIGTERM, signal.default_int_handler)
from pathlib import Path
from conftest import FakeEngine
from openhearth.platform import Keys, serve
engine, keys = FakeEngine(), Keys.open(Path(sys.argv[1]))
port = int(sys.argv[2])
serve(engine, keys, port=port, ready=lambda: print(keys.first_start(), flush=True))
print("closed" if engine.closed else "left open", flush=True)
"""


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_a_port_in_use_is_an_error_that_names_it_and_the_flag(taken: int) -> None:
    with pytest.raises(HearthError, match=rf"Port {taken} .* already in use.*--port"):
        check_port("127.0.0.1", taken)
    check_port("127.0.0.1", free_port())


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_a_foreign_address_is_an_error_that_names_it(host: str) -> None:
    with pytest.raises(HearthError, match=f"{host} is not an address of this machine.*--host"):
        check_port(host, free_port())


def test_an_engine_is_closed_even_if_serving_fails(engine: Any, keys: Keys, taken: int) -> None:
    with pytest.raises(HearthError, match="already in use"):
        serve(engine, keys, port=taken)
    assert engine.closed


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_cleanly(sent: signal.Signals, tmp_path: Path) -> None:
    port = free_port()
    paths = [str(HERE), str(Path(openhearth.__file__).parents[1])]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    # A child that hangs must fail this test, not the whole run.
    guard = threading.Timer(60, child.kill)
    guard.start()
    with child:
        assert child.stdout
        assert re.fullmatch(r"oh-\S+", child.stdout.readline().strip())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as response:
            assert response.read() == b'{"status":"ok"}'
        child.send_signal(sent)
        assert child.stdout.read() == "closed\n"
    guard.cancel()
    assert child.returncode == 0
