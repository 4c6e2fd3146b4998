"""A real broker, real node processes, and a gateway's side of them in this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from openhearth.fleet import Broker, Bus, Fleet, LoopThread
from openhearth.fleet.node import BUS
from openhearth.inference import Delta, Request, Sampling
from openhearth.models import pull
from openhearth.store import Store
from tests.conftest import make_adapter, write_model
from tests.waiting import until

NO_END = {2: -100, 4: -100}  # the tokens that end an answer
PROMPT = list(range(10, 40))


def ask(model: str = "long", tokens: int = 8, **sampling: Any) -> Request:
    """A request whose answer has so many tokens."""
    return Request(model, PROMPT, Sampling(max_tokens=tokens, logit_bias=NO_END, **sampling))


def tokens(deltas: list[Delta]) -> list[int]:
    return [token for delta in deltas for token in delta.tokens]


@pytest.fixture(scope="session")
def long_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a small model `long`, whose answers can take seconds, and an adapter of it."""
    directory = write_model(
        tmp_path_factory.mktemp("long"),
        hidden_size=64,
        intermediate_size=96,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=16384,
    )
    store = Store(tmp_path_factory.mktemp("home"))
    make_adapter(store, pull(store, str(directory), name="long"), "tuned")
    return store.root


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    with LoopThread() as thread:
        yield thread


@pytest.fixture
def bus(broker: Broker, thread: LoopThread) -> Iterator[Bus]:
    bus = thread.run(Bus.connect(broker.url, "gateway"))
    yield bus
    thread.run(bus.close())


@pytest.fixture
def fleet(bus: Bus, thread: LoopThread, long_home: Path) -> Iterator[Fleet]:
    fleet = thread.run(Fleet.join(bus, Store(long_home)))
    yield fleet
    thread.run(fleet.__aexit__(None, None, None))


@dataclass
class Nodes:
    """Starts nodes, and ends them at the end."""

    broker: Broker
    home: Path
    fleet: Fleet
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """A node that the gateway knows."""
        before = {node.id for node in self.fleet.nodes()}
        command = [sys.executable, "-m", "openhearth.fleet.node", "--home", str(self.home)]
        node = subprocess.Popen(
            [*command, *options], env=os.environ | {BUS: self.broker.url}, start_new_session=True
        )
        self.processes.append(node)
        until(lambda: {node.id for node in self.fleet.nodes()} - before)
        return node

    def end(self) -> None:
        for node in self.processes:
            node.send_signal(signal.SIGKILL)
            node.wait()


@pytest.fixture
def nodes(broker: Broker, fleet: Fleet, long_home: Path) -> Iterator[Nodes]:
    nodes = Nodes(broker, long_home, fleet)
    yield nodes
    nodes.end()
