"""A worker: `python -m openhearth.platform.jobs.worker --home DIR --kinds a,b`.

It leases one job after another, starts a process for each, renews the lease while that lives, and
passes on what it says. It sees no database, and can be killed at any moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from openhearth.errors import HearthError
from openhearth.fleet.broker import BUS
from openhearth.platform.jobs.bus import Bus as AnyBus
from openhearth.platform.jobs.client import Client, Refused, Tenure
from openhearth.platform.jobs.job import SECONDS, LeaseLost
from openhearth.platform.jobs.messages import (
    Fail,
    Finish,
    Record,
    Release,
    Renew,
)
from openhearth.platform.jobs.process import Process
from openhearth.platform.jobs.runners import RUNNERS
from openhearth.platform.jobs.task import LONGEST
from openhearth.platform.jobs.works import Works

IDLE_SECONDS = 0.5  # between looks for work
CLEARING_SECONDS = 600.0  # between looks for what is left of jobs
SAID = {"event", "metric", "checkpoint", "busy"}  # of a job that goes on
Outcome = Finish | Fail | Release
CHILD = (sys.executable, "-m", "openhearth.platform.jobs.child")


class Worker:
    """Carries out jobs of some kinds, one at a time, in processes of the command `child`."""

    def __init__(
        self,
        bus: AnyBus,
        home: Path,
        kinds: Sequence[str],
        seconds: float = SECONDS,
        child: Sequence[str] = CHILD,
    ) -> None:
        self._client = Client(bus, f"{socket.gethostname()[:64]}-{os.getpid()}", seconds)
        self._home = home
        self._works = Works(home / "jobs", self._client.over)
        self._cleared = float("-inf")  # when that was done last
        self._kinds = kinds
        self._child = child
        self._stopping = asyncio.Event()
        self._process: Process | None = None

    def stop(self) -> None:
        """Hand back what is under way, at its next safe point, and end."""
        self._stopping.set()
        if self._process is not None:
            self._process.stop()

    async def run(self) -> None:
        """Work until `stop` is called."""
        while not self._stopping.is_set():
            tenure = None
            # Without an answer there is nothing to do but to ask again.
            with contextlib.suppress(HearthError, OSError):
                await self._clear()
                tenure = await self._client.lease(self._kinds)
            if tenure is not None:
                await self._carry_out(tenure)
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), IDLE_SECONDS)

    async def _clear(self) -> None:
        """Remove what is left of jobs that ended while no worker had them, now and then."""
        if time.monotonic() - self._cleared > CLEARING_SECONDS:
            await self._works.clear_all()
            self._cleared = time.monotonic()

    async def _carry_out(self, tenure: Tenure) -> None:
        work = self._works.of(tenure.work.id)
        self._process = await Process.start(self._child, tenure, work, self._home)
        if self._stopping.is_set():
            self._process.stop()
        renewing = asyncio.create_task(_renew(tenure, self._process))
        try:
            outcome = await _pass_on(tenure, self._process)
            await self._process.wait()
            outcome = outcome or _died(tenure, self._process)
            await tenure.say(outcome)
        except LeaseLost:
            pass  # somebody else goes on
        except Refused as error:
            with contextlib.suppress(HearthError):
                await tenure.say(Fail(**tenure.fence, error=str(error), retry=False))
        finally:
            renewing.cancel()
            await self._process.end()
            self._process = None
        with contextlib.suppress(HearthError, OSError):
            await self._works.clear([tenure.work.id])


def _died(tenure: Tenure, process: Process) -> Outcome:
    """What is to be said of a process that ended without a word."""
    if process.handed_back:
        return Release(**tenure.fence)
    return Fail(**tenure.fence, error=f"its process {process.ending}", retry=True)


async def _renew(tenure: Tenure, process: Process) -> None:
    """Keep the lease while the process lives; end it when the lease is lost."""
    try:
        while True:
            await asyncio.sleep(tenure.seconds * 0.3)
            if await tenure.say(Renew(**tenure.fence)):
                process.cancel()
            process.renewed()
    except LeaseLost:
        process.kill()


async def _pass_on(tenure: Tenure, process: Process) -> Outcome | None:
    """Send on what the process says, some lines at a time, until it says how it ended."""
    async for lines in process.lines():
        outcome = lines.pop() if lines[-1].keys().isdisjoint(SAID) else None
        if lines and await tenure.say(_record(tenure, lines)):
            process.cancel()
        if outcome is not None:
            return _outcome(tenure, outcome)
    return None


def _record(tenure: Tenure, lines: Sequence[dict[str, Any]]) -> Record:
    """What some lines say together: of several checkpoints the last counts."""
    checkpoints = [line["checkpoint"] for line in lines if "checkpoint" in line]
    try:
        return Record(
            **tenure.fence,
            events=[line["event"] for line in lines if "event" in line],
            metrics=[line["metric"] for line in lines if "metric" in line],
            checkpoint=checkpoints[-1] if checkpoints else None,
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Refused(f"The job said something wrong at {where}: {first['msg']}.") from error


def _outcome(tenure: Tenure, said: dict[str, Any]) -> Outcome:
    if "finish" in said:
        return Finish(**tenure.fence, result=said["finish"])
    if "fail" in said:
        return Fail(**tenure.fence, error=said["fail"][:LONGEST], retry=said["retry"])
    return Release(**tenure.fence, **said["stopped"])


@click.command()
@click.option("--bus", "url", envvar=BUS, required=True, help=f"The broker's URL; also from {BUS}.")
@click.option("--home", required=True, type=click.Path(path_type=Path), help="Where the store is.")
@click.option("--kinds", default=",".join(RUNNERS), show_default=True, help="Of jobs, by commas.")
def main(url: str, home: Path, kinds: str) -> None:
    """Carry out jobs until SIGTERM or Ctrl-C."""
    from openhearth.fleet.bus import Bus

    async def work() -> None:
        async with await Bus.connect(url, f"worker-{os.getpid()}") as bus:
            await until_stopped(Worker(bus, home, kinds.split(",")))

    try:
        asyncio.run(work())
    except HearthError as error:
        raise click.ClickException(str(error)) from error


async def until_stopped(worker: Worker) -> None:
    """Let a worker work until this process is asked to stop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    await worker.run()


if __name__ == "__main__":
    main()
