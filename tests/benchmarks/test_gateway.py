"""The comparison of gateways measures what it says: its clients, its stubs, its rows, our books."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from _gateways import KEY, hearth, stub
from _keep_alive import Exchange, Load, clients
from _running import Server, process
from _stub_server import WORDS, streamed, whole
from gateway import KINDS, Comparison, ask, check_books

SAID = "".join(WORDS)
SECONDS = 0.5


@pytest.fixture
def home(tiny_model_home: Path, tmp_path: Path) -> str:
    """A store of its own with the model `tiny`."""
    return str(shutil.copytree(tiny_model_home, tmp_path / "home"))


@contextmanager
def saying(answer: bytes) -> Iterator[str]:
    """The URL of a server that says this to one request, and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_once() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(2**16)
                connection.sendall(answer)

        thread = threading.Thread(target=answer_once)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize("streamed", [False, True])
def test_clients_ask_the_stub_until_the_time_is_over(*, streamed: bool) -> None:
    with stub("any") as engine:
        load = clients()(engine.url, KEY, ask("any", streamed=streamed), 3, SECONDS)
    assert load.failed == 0
    assert load.texts == Counter({SAID: len(load.whole)})
    assert load.seconds >= SECONDS
    assert all(0 < first <= last for first, last in zip(load.first, load.whole, strict=True))


@pytest.mark.parametrize("answer", [whole(), streamed()])
def test_an_answer_is_read_alike_however_it_is_cut(answer: bytes) -> None:
    for size in (1, 7, len(answer)):
        exchange = Exchange()
        pieces = [answer[i : i + size] for i in range(0, len(answer), size)]
        assert [exchange.add(piece) for piece in pieces] == [*[False] * (len(pieces) - 1), True]
        read = exchange.read()
        assert read is not None
        assert read[2] == SAID


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno", whole()[:-1], b""]
)
def test_what_is_no_answer_has_failed(answer: bytes) -> None:
    with saying(answer) as url:
        load = clients()(url, KEY, ask("any", streamed=False), 1, SECONDS)
    assert load.whole == []
    assert load.failed >= 1


def test_latencies_are_those_above_the_stub_alone_and_rates_are_those_of_all() -> None:
    both = Comparison(clients(), {}, SECONDS)
    for name, first, last in (("stub", 0.001, 0.002), ("ours", 0.002, 0.004), ("litellm", 0.01, 1)):
        for kind in KINDS:
            both.loads[name, kind] = [
                Load(2.0, [first] * 10, [last] * 10, Counter({SAID: 10}), 0, 0.0)
            ] * 3
    rows = {row.work: (row.ours, row.peer) for row in both.rows()}
    assert rows["added to first token, 16 at once, p50"] == pytest.approx((1.0, 9.0))
    assert rows["added to answer, 1 at once, p99"] == pytest.approx((2.0, 998.0))
    assert rows["streams, 64 at once"] == (5.0, 5.0)
    assert len(rows) == 22


def test_our_gateway_says_what_the_stub_says_and_charges_each_answer_once(home: str) -> None:
    with hearth(home, "tiny") as ours:
        both = Comparison(clients(), {"ours": ours}, SECONDS)
        both.round(counts=True)
        assert ours.cpu() > 0
    answered = both.answered["ours"]
    assert answered == sum(len(load.whole) for (load,) in both.loads.values())
    check_books(home, answered)
    with pytest.raises(AssertionError, match="receipts for"):
        check_books(home, answered + 1)


def test_a_side_that_says_something_else_ends_the_comparison() -> None:
    with process([sys.executable, "-c", "input()"], {}) as idle, saying(whole()[:-1]) as url:
        both = Comparison(clients(), {"ours": Server(url, "any", idle)}, SECONDS)
        with pytest.raises(SystemExit, match="ours has failed"):
            both.round(counts=True)


def test_a_server_that_ends_at_its_start_is_not_waited_for() -> None:
    from _running import running

    failing = [sys.executable, "-c", "raise SystemExit(3)"]
    with pytest.raises(SystemExit, match="ended at its start"), running(failing, "any", {}):
        pass


def test_its_arguments_are_explained() -> None:
    script = Path(__file__).parents[2] / "benchmarks/gateway.py"
    told = subprocess.run([sys.executable, script, "--help"], capture_output=True, check=True)
    assert b"--short" in told.stdout
