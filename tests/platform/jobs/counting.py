"""A job that counts, and can be made to die anywhere; with the processes of its worker."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from openhearth.errors import HearthError
from openhearth.platform.jobs import child, process
from openhearth.platform.jobs.runners import RUNNERS
from openhearth.platform.jobs.task import Later, Stopped, Task
from openhearth.platform.jobs.worker import Worker, until_stopped

SECONDS = 2.0  # of a lease
GRACE = 2.0  # seconds


def run(task: Task) -> dict[str, Any]:
    """Sum the numbers up to `steps`. The payload says before and after which steps it is killed,
    once each, and how it goes wrong.
    """
    state = task.checkpoint or {"step": 0, "sum": 0}
    try:
        return _count(task, state)
    except Stopped as stopped:
        with task.busy():
            time.sleep(task.payload.get("parting", 0))
        task.save(state | {"handed in": stopped.cancelled})
        raise


def _count(task: Task, state: dict[str, Any]) -> dict[str, Any]:
    if task.payload.get("waits"):
        raise Later(task.payload["waits"])
    while state["step"] < task.payload["steps"]:
        step = state["step"] + 1
        if task.payload.get("silent") and (task.stopping or task.cancelled):
            time.sleep(600)
        task.pause()
        _die(task, f"before {step}")
        time.sleep(task.payload.get("pace", 0))
        task.event("counted", f"{step}", {"pid": os.getpid()})
        task.metric(step, value=step)
        if task.payload.get("fails") == step:
            raise HearthError("This cannot be counted.")
        if task.payload.get("breaks") == step:
            raise KeyError("secret")
        if task.payload.get("crashes") == step:
            os.kill(os.getpid(), signal.SIGKILL)
        state |= {"step": step, "sum": state["sum"] + step}
        task.save(state)
        _die(task, f"after {step}")
    print("printed to nobody")
    return {"sum": state["sum"]}


def _die(task: Task, where: str) -> None:
    marker = task.work / where
    if where in task.payload.get("dies", []) and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


async def work(url: str, home: str) -> None:
    from openhearth.fleet.bus import Bus

    command = (sys.executable, "-m", "tests.platform.jobs.counting", "child")
    async with await Bus.connect(url, f"worker-{os.getpid()}") as bus:
        await until_stopped(Worker(bus, Path(home), ["count", "fine-tune"], SECONDS, command))


if __name__ == "__main__":
    process.GRACE_SECONDS = GRACE
    RUNNERS["count"] = "tests.platform.jobs.counting:run"
    if sys.argv[1] == "child":
        child.main()
    else:
        asyncio.run(work(*sys.argv[2:]))
