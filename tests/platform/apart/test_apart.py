"""Work in processes apart: what it makes, how it fails, and what it may not take with it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from openhearth.errors import NotFound
from openhearth.fleet.broker import BUS
from openhearth.platform.apart import Apart, Lane
from openhearth.platform.apart import apart as module
from openhearth.platform.apart.work import Work
from openhearth.platform.database import DATABASE
from openhearth.platform.errors import ApiError
from openhearth.platform.keys import OWN_KEY
from tests.platform.apart import labour
from tests.waiting import WAIT, until

SOON = 0.05  # seconds


@pytest.fixture
def lane() -> Lane:
    return Lane(waiting=3, of_an_owner=2, idle=SOON)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A pipe, on which work waits that reads it."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


def ask(
    lane: Lane, function: Any, seconds: float = WAIT, owner: str = "a", **more: Any
) -> Future[bytes]:
    return lane.submit(Work.of(function, more, seconds), owner)


def done(lane: Lane, function: Any, **more: Any) -> bytes:
    return ask(lane, function, **more).result(WAIT)


def refused(lane: Lane, function: Any, **more: Any) -> ApiError:
    with pytest.raises(ApiError) as error:
        done(lane, function, **more)
    return error.value


def is_there(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_it_is_done_elsewhere_and_raises_what_it_raises_there(lane: Lane) -> None:
    assert int(done(lane, labour.pid)) != os.getpid()
    with pytest.raises(NotFound, match="There is nothing"):
        done(lane, labour.refuse)
    with pytest.raises(RuntimeError, match="labour:err failed"):
        done(lane, labour.err)


@pytest.mark.parametrize(
    ("function", "seconds"),
    [(labour.eat, WAIT), (labour.die, WAIT), (labour.flood, WAIT), (labour.stay, SOON)],
)
def test_what_takes_too_much_takes_nothing_with_it(
    lane: Lane, function: Any, seconds: float
) -> None:
    error = refused(lane, function, seconds=seconds)
    assert (error.status, error.reply.error.code) == (400, "too_much_work")
    assert done(lane, labour.pid)


def test_one_that_has_died_meanwhile_is_started_again() -> None:
    lane = Lane()
    first = int(done(lane, labour.pid))
    assert int(done(lane, labour.pid)) == first
    os.kill(first, signal.SIGKILL)
    until(lambda: not is_there(first))
    assert int(done(lane, labour.pid)) != first


def test_who_has_nothing_to_do_ends(lane: Lane) -> None:
    process = int(done(lane, labour.pid))
    until(lambda: not is_there(process))
    assert int(done(lane, labour.pid)) != process


def test_a_queue_is_bounded_for_all_and_for_each(lane: Lane, gate: Path) -> None:
    first = ask(lane, labour.wait_for, path=str(gate))
    second = ask(lane, labour.pid)
    mine = refused(lane, labour.pid)
    assert (mine.status, mine.reply.error.code) == (429, "rate_limit_exceeded")
    third = ask(lane, labour.pid, owner="b")
    full = refused(lane, labour.pid, owner="c")
    assert (full.status, full.reply.error.code) == (503, "server_overloaded")
    assert {error.headers["retry-after"] for error in (mine, full)} == {"5"}
    third.cancel()
    fourth = ask(lane, labour.pid, owner="c")
    gate.write_bytes(b"go")
    assert first.result(WAIT) == b"go"
    assert second.result(WAIT) == fourth.result(WAIT)
    assert done(lane, labour.pid)


ENDING = """
from openhearth.platform.apart import Lane
from openhearth.platform.apart.work import Work
from tests.platform.apart import labour

lane = Lane()
print(int(lane.submit(Work.of(labour.pid, {}, 1000), "a").result()), flush=True)
lane.submit(Work.of(labour.stay, {}, 1000), "a")
"""


def test_who_ends_waits_for_nothing_and_leaves_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDING], capture_output=True, timeout=WAIT, check=True
    )
    until(lambda: not is_there(int(ended.stdout)))


def test_it_knows_no_secrets(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (BUS, DATABASE, OWN_KEY):
        monkeypatch.setenv(name, "secret")
    assert not {BUS, DATABASE, OWN_KEY} & set(done(lane, labour.names).decode().split())


def test_what_is_short_does_not_wait_for_what_is_long(
    gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHORT_BYTES", 10)

    async def work() -> tuple[bytes, bytes]:
        apart = Apart()
        long = asyncio.create_task(apart.do(labour.wait_for, owner="a", reads=11, path=str(gate)))
        short = await apart.do(labour.pid, owner="a", reads=10)
        assert not long.done()
        await asyncio.to_thread(gate.write_bytes, b"go")
        return short, await long

    short, long = asyncio.run(work())
    assert (bool(short), long) == (True, b"go")
