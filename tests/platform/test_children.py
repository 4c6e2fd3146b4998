"""Processes that come back, and that end with us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from openhearth.platform import children
from openhearth.platform.children import Child
from tests.waiting import until

FOREVER = "import time; print('here', flush=True); time.sleep(600)"
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
time.sleep(600)
"""
PARENT = """
import sys, time
from pathlib import Path
from openhearth.platform.children import Child
from tests.waiting import until
child = Child("x", [sys.executable, "-c", sys.argv[2]], Path(sys.argv[1]), {})
child.look()
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Children of a program, which end with the test."""
    with ExitStack() as stack:

        def child(program: str, **variables: str) -> Child:
            made = Child("x", [sys.executable, "-c", program], tmp_path / "x.log", variables)
            stack.callback(made.stop, 0)
            return made

        yield child


def test_it_runs_and_what_it_writes_is_kept(make: Callable[..., Child]) -> None:
    child = make("import os; print(os.environ['GIVEN'])", GIVEN="said")
    assert child.pid is None
    assert child.last_words() == "it said nothing"
    child.look()
    assert child.pid is not None
    until(lambda: child.last_words() == "said")


def test_one_that_is_killed_comes_back_under_another_id(make: Callable[..., Child]) -> None:
    child = make(FOREVER)
    child.look()
    first = child.pid
    assert first
    child.look()
    assert (child.pid, child.deaths) == (first, 0)
    os.kill(first, signal.SIGKILL)
    until(lambda: child.pid is None)
    until(lambda: child.look() or child.pid)
    assert child.pid != first
    assert child.deaths == 1


def test_one_that_always_dies_is_started_less_and_less_often(
    make: Callable[..., Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(children.time, "monotonic", lambda: now)
    child, waits = make("raise SystemExit(1)"), []
    child.look()
    for _ in range(8):
        begun, dead = now, child._process
        assert dead
        dead.wait()
        child.look()
        while child._process is dead:
            now += 0.25
            child.look()
        waits.append(now - begun)
    assert waits[:4] == [0.25, 0.5, 1, 2]
    assert waits[-1] == children.LONGEST_PAUSE
    dead = child._process
    assert dead
    dead.wait()
    now += children.STEADY + 1  # this one had lived for long
    before = child.deaths
    child.look()
    assert child._process is not dead
    assert child.deaths == before + 1


@pytest.mark.parametrize("program", [FOREVER, STUBBORN])
def test_it_is_stopped_even_if_it_does_not_want_to(
    make: Callable[..., Child], program: str
) -> None:
    child = make(program)
    child.stop(1)
    child.look()
    pid = child.pid
    until(lambda: child.last_words() == "here")
    child.stop(0.1 if program is STUBBORN else 60)
    assert child.pid is None
    assert not Path(f"/proc/{pid}").exists()


def test_a_log_that_is_too_large_is_begun_anew(
    make: Callable[..., Child], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "LARGEST_LOG", 3)
    child = make("import time\nfor n in range(9**9): print(n, flush=True); time.sleep(0.01)")
    child.look()
    until(lambda: child.look() or (tmp_path / "x.old").exists())
    aside = (tmp_path / "x.old").read_text()
    assert aside.startswith("0\n")
    until(lambda: (tmp_path / "x.log").read_text().endswith("\n"))
    assert (tmp_path / "x.log").read_text()[0].isdecimal()  # and no hole before it


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children of the dead")
def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "x.log"), STUBBORN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        until(lambda: (tmp_path / "x.log").read_text())
        parent.send_signal(signal.SIGKILL)
    until(lambda: not Path(f"/proc/{child}").exists())
