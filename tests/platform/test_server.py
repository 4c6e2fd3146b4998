"""The port is checked first, and signals end the server cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
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
from openhearth.platform import Tls, check_port, serve
from openhearth.platform.keys import Keys
from openhearth.platform.port import bound
from openhearth.platform.server import PROXIES, WithLocal, configured
from tests import certificates

HERE = Path(__file__).parent
CHILD = """
import sys, signal
signal.signal(signal.SIGTERM, signal.default_int_handler)
from pathlib import Path
from conftest import FakeEngine
from openhearth.platform import Keys, Tls, serve
engine, keys = FakeEngine(), Keys.open(Path(sys.argv[1]))
port = int(sys.argv[2])
serve(engine, keys, port=port, MORE ready=lambda: print(keys.first_start(), flush=True))
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


@contextlib.contextmanager
def serving(home: Path, port: int, more: str = "") -> Iterator[tuple[subprocess.Popen, str]]:
    """A server in a process of its own, and its key; it must end as it should."""
    paths = [str(HERE), str(Path(openhearth.__file__).parents[1]), *sys.path]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.replace("MORE", more), str(home), str(port)],
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
        key = child.stdout.readline().strip()
        assert re.fullmatch(r"oh-\S+", key)
        yield child, key
        assert child.stdout.read() == "closed\n"
    guard.cancel()
    assert child.returncode == 0


@pytest.mark.parametrize(("named", "client"), [(None, "127.0.0.1"), ("127.0.0.1", "192.0.2.1")])
def test_a_proxy_is_believed_only_if_it_was_named(
    named: str | None, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PROXIES, raising=False)
    if named:
        monkeypatch.setenv(PROXIES, named)
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    config = configured(app, 1)
    said = [(b"x-forwarded-for", b"192.0.2.1")]
    scope = {"type": "http", "headers": said, "client": ("127.0.0.1", 1), "scheme": "http"}
    asyncio.run(config.loaded_app(scope, None, None))
    assert seen == [client]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_cleanly(sent: signal.Signals, tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port) as (child, _):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as response:
            assert response.read() == b'{"status":"ok"}'
        child.send_signal(sent)


def stream(url: str, key: str) -> http.client.HTTPResponse:
    """An answer that takes a second."""
    body = {"model": "slow", "prompt": "Hi", "max_tokens": 200, "stream": True}
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    asked = urllib.request.Request(f"{url}/v1/completions", json.dumps(body).encode(), headers)
    return urllib.request.urlopen(asked)


def test_a_stream_under_way_ends_before_the_server_does(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port) as (child, key):
        with stream(f"http://127.0.0.1:{port}", key) as response:
            assert response.readline().startswith(b"data: {")
            child.send_signal(signal.SIGTERM)
            rest = response.read()
        assert rest.endswith(b"data: [DONE]\n\n")
        assert b'"finish_reason":"length"' in rest


@certificates.needed
def test_it_speaks_tls(tmp_path: Path) -> None:
    port, tls = free_port(), certificates.self_signed(tmp_path)
    parts = f"tls=Tls(Path({str(tls.certificate)!r}), Path({str(tls.key)!r})),"
    with serving(tmp_path, port, parts) as (child, _):
        trusting = certificates.trusting(tls)
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/health", context=trusting) as reply:
            assert reply.read() == b'{"status":"ok"}'
        child.send_signal(signal.SIGTERM)


@certificates.needed
def test_this_machine_is_served_beside_all_others_and_without_tls(tmp_path: Path) -> None:
    """Each is told by what it asks; and both are served to the end."""
    tls = certificates.self_signed(tmp_path)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["scheme"].encode()})

    with bound("127.0.0.1", 0) as public, bound("127.0.0.1", 0) as local:
        ports = [listener.getsockname()[1] for listener in (public, local)]
        server = WithLocal(configured(app, 1, tls), local)
        thread = threading.Thread(target=server.run, args=[[public]])
        public.listen()
        local.listen()
        thread.start()
        for scheme, port in zip(("https", "http"), ports, strict=True):
            trusting = certificates.trusting(tls) if scheme == "https" else None
            with urllib.request.urlopen(f"{scheme}://127.0.0.1:{port}", context=trusting) as reply:
                assert reply.read() == scheme.encode()
        with pytest.raises(OSError, match=r"closed|reset"):
            urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}")
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_a_certificate_that_is_none_is_an_error_that_names_it(
    tmp_path: Path, engine: Any, keys: Keys
) -> None:
    missing = Tls(tmp_path / "cert.pem", tmp_path / "key.pem")
    with pytest.raises(HearthError, match=r"cert\.pem .* cannot be used"):
        serve(engine, keys, port=free_port(), tls=missing)
    assert engine.closed
