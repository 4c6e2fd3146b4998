"""Nodes that die, hang, stop and rest: real processes and signals, and what a reader sees."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openhearth.fleet import Broker, Bus, Fleet, LoopThread, NodeLost, client
from openhearth.fleet.messages import asks, cancels
from openhearth.fleet.node import BUS
from openhearth.inference import Engine, EngineBusy
from openhearth.store import Store
from tests.fleet.conftest import Nodes, ask, tokens
from tests.waiting import until

LONG = 16_000  # tokens, which take seconds
GATEWAY = """
import os, sys, time
from openhearth.fleet import Bus, Fleet, LoopThread
from openhearth.store import Store
from tests.fleet.conftest import ask
from tests.waiting import until
with LoopThread() as thread:
    bus = thread.run(Bus.connect(os.environ["OPENHEARTH_BUS"], "doomed"))
    fleet = thread.run(Fleet.join(bus, Store(sys.argv[1])))
    until(fleet.nodes)
    streams = [fleet.submit(ask(tokens=16_000)) for _ in range(3)]
    for stream in streams:
        next(stream)
    print("begun", flush=True)
    time.sleep(600)
"""


def running(fleet: Fleet) -> list[int]:
    """How many streams each node says that it answers."""
    return sorted(node.running for node in fleet.nodes())


def kill(node: subprocess.Popen[bytes]) -> None:
    node.send_signal(signal.SIGKILL)
    node.wait()


def proven(fleet: Fleet) -> None:
    """Let submitting not wait for the node's word."""
    fleet._proven.update(card.digest for card in fleet.models())


def test_killed_before_the_first_token_another_node_answers_the_same(
    fleet: Fleet, nodes: Nodes, long_home: Path
) -> None:
    first, second = nodes.start(), nodes.start()
    proven(fleet)
    for node in (first, second):  # so that neither gets to its first token
        node.send_signal(signal.SIGSTOP)
    request = ask(tokens=12, seed=5)
    streams = [fleet.submit(request) for _ in range(2)]  # one for each
    kill(first)
    second.send_signal(signal.SIGCONT)
    with Engine.open(Store(long_home), ["long"]) as engine:
        expected = tokens(list(engine.submit(request)))
    assert [tokens(list(stream)) for stream in streams] == [expected] * 2


def test_killed_before_the_first_token_the_same_node_started_again_answers(
    fleet: Fleet, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RESTARTING", 120.0)
    node = nodes.start()
    proven(fleet)
    node.send_signal(signal.SIGSTOP)
    stream = fleet.submit(ask(tokens=12))
    kill(node)
    until(lambda: not fleet.nodes())
    with pytest.raises(EngineBusy, match="No node is there"):
        fleet.submit(ask())
    nodes.start()
    assert len(tokens(list(stream))) == 12


def test_killed_with_nobody_to_come_the_reader_is_told(
    fleet: Fleet, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RESTARTING", 0.2)
    node = nodes.start()
    proven(fleet)
    node.send_signal(signal.SIGSTOP)
    stream = fleet.submit(ask())
    kill(node)
    with pytest.raises(NodeLost, match="is gone"):
        list(stream)


def test_killed_in_the_middle_the_stream_fails_because_the_broker_tells(
    fleet: Fleet, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not because of a lease, which is as long as a day here."""
    monkeypatch.setattr(client, "LEASE", 86_400)
    node = nodes.start()
    streams = [fleet.submit(ask(tokens=LONG)) for _ in range(3)]
    for stream in streams:
        next(stream)
    kill(node)
    for stream in streams:
        with pytest.raises(NodeLost, match="is gone"):
            list(stream)
    assert not fleet._calls


def test_a_node_that_hangs_in_the_middle_is_given_up(
    fleet: Fleet, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = nodes.start()
    stream = fleet.submit(ask(tokens=LONG))
    next(stream)
    monkeypatch.setattr(client, "LEASE", 0.5)
    monkeypatch.setattr(client, "BEAT", 0.1)
    node.send_signal(signal.SIGSTOP)
    with pytest.raises(NodeLost, match="fell silent"):
        list(stream)


def test_cancelling_stops_the_engine(fleet: Fleet, nodes: Nodes) -> None:
    nodes.start()
    stream = fleet.submit(ask(tokens=LONG))
    next(stream)
    stream.cancel()
    *_, last = stream
    assert last.finish_reason == "cancelled"
    assert last.usage is not None
    assert 0 < last.usage.completion_tokens < LONG
    until(lambda: running(fleet) == [0])


def test_when_a_gateway_is_killed_its_streams_stop(
    fleet: Fleet, nodes: Nodes, broker: Broker, long_home: Path
) -> None:
    nodes.start()
    command = [sys.executable, "-c", GATEWAY, str(long_home)]
    environment = os.environ | {BUS: broker.url}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as gateway:
        assert gateway.stdout is not None
        assert gateway.stdout.readline() == b"begun\n"
        gateway.kill()
    until(lambda: running(fleet) == [0])
    assert len(tokens(list(fleet.submit(ask(tokens=5))))) == 5


def test_told_to_stop_a_node_finishes_and_takes_nothing_new(fleet: Fleet, nodes: Nodes) -> None:
    node = nodes.start("--grace", "600")
    stream = fleet.submit(ask(tokens=2000))
    next(stream)
    node.terminate()
    until(lambda: any(one.draining for one in fleet.nodes()))
    with pytest.raises(EngineBusy):
        fleet.submit(ask())
    assert len(tokens(list(stream))) == 1999
    assert node.wait() == 0
    until(lambda: not fleet.nodes())


def test_what_takes_longer_than_the_grace_ends_as_cancelled(fleet: Fleet, nodes: Nodes) -> None:
    node = nodes.start("--grace", "0.1")
    stream = fleet.submit(ask(tokens=LONG))
    next(stream)
    node.terminate()
    *_, last = stream
    assert last.finish_reason == "cancelled"
    assert node.wait() == 0


def test_a_model_is_loaded_when_asked_for_and_leaves_when_idle(
    fleet: Fleet, nodes: Nodes, long_home: Path
) -> None:
    digest = Store(long_home).get("long").digest
    nodes.start("--idle", "0.3")
    (node,) = fleet.nodes()
    assert digest in node.models
    assert node.loads == {}
    assert fleet.memory.find("tuned") is None
    stream = fleet.submit(ask(tokens=LONG))
    next(stream)
    until(lambda: fleet.memory.find("tuned"))
    load = fleet.nodes()[0].loads[digest]
    assert fleet.memory.find("long") == load
    assert stream.loading >= load.seconds > 0  # it asked for it, and waited until it was there
    warm = fleet.submit(ask(tokens=5))
    assert len(tokens(list(warm))) == 5
    assert warm.loading == 0
    stream.cancel()
    list(stream)
    until(lambda: fleet.nodes()[0].loads == {})
    again = fleet.submit(ask(tokens=5))
    assert len(tokens(list(again))) == 5
    assert again.loading > 0


def test_the_broker_dies_and_comes_back_and_so_does_the_fleet(
    fleet: Fleet, nodes: Nodes, broker: Broker
) -> None:
    nodes.start()
    list(fleet.submit(ask()))
    stream = fleet.submit(ask(tokens=LONG))
    next(stream)
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    until(lambda: broker.pid is None)
    broker.start()
    with contextlib.suppress(NodeLost):  # nothing is lost, or it is an error; never a hole
        assert len(tokens(list(stream))) == LONG - 1
    assert len(tokens(list(fleet.submit(ask(tokens=5))))) == 5


def test_garbage_does_not_disturb_a_node(
    fleet: Fleet, nodes: Nodes, bus: Bus, thread: LoopThread
) -> None:
    nodes.start()
    (node,) = fleet.nodes()
    garbage = (b"", b"\xff" * 100, b"[]", b'{"stream": 3}', b'{"stream": "a", "gateway": "b"}')
    for subject in (asks(node.id), cancels(node.id), "beat.gateway"):
        for data in garbage:
            thread.run(bus.publish(subject, data))
    assert len(tokens(list(fleet.submit(ask(tokens=5))))) == 5


def test_without_a_broker_a_node_says_so() -> None:
    command = [sys.executable, "-m", "openhearth.fleet.node", "--bus", "nats://127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "127.0.0.1:1 does not answer" in done.stderr
    assert "Traceback" not in done.stderr
