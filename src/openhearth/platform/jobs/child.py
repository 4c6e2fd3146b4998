"""The process of one job: `python -m openhearth.platform.jobs.child`, started by a worker.

The first line of standard input is the task, each further one says that the lease was renewed. The
process ends when the lease runs out or the worker dies, so that there are never two that believe to
have the job. Standard output is the way back, a JSON line for each thing said; what a runner prints
goes to standard error. SIGTERM asks it to end at the next place where it may, SIGUSR1 to do so for
good.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
import time
import traceback
from io import FileIO
from pathlib import Path
from typing import Any

import orjson

from openhearth.errors import HearthError
from openhearth.platform.jobs.entry import Pass
from openhearth.platform.jobs.job import LONGEST
from openhearth.platform.jobs.runners import runner_of
from openhearth.platform.jobs.task import Again, Later, Stopped, Task
from openhearth.store.disk import locked

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LEASE_OVER = 75  # exit code
CANCEL = signal.SIGUSR1


def main() -> None:
    """Carry out the task that standard input names."""
    channel = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    asked = orjson.loads(sys.stdin.buffer.readline())
    _die_with(asked["worker"])
    threading.Thread(target=_end_with_the_lease, args=(asked["seconds"],), daemon=True).start()
    work = Path(asked["work"])
    work.mkdir(parents=True, exist_ok=True)
    tell = _Voice(channel)
    task = Task(
        asked["id"],
        asked["project"],
        asked["payload"],
        asked["checkpoint"],
        work,
        tell,
        Pass(asked["url"], asked["key"]) if asked["url"] else None,
    )
    task.cancelled = asked["cancel"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's business
    signal.signal(signal.SIGTERM, lambda *_: setattr(task, "stopping", True))
    signal.signal(CANCEL, lambda *_: setattr(task, "cancelled", True))
    tell({"busy": True})  # from now on it hears what it is asked
    tell(_outcome(task, asked["kind"]))
    sys.stdout.flush()
    os._exit(0)  # whatever threads a runner has left


def _outcome(task: Task, kind: str) -> dict[str, Any]:
    """Run it, and say how it ended."""
    try:
        # An earlier process of the same job may need a moment to die.
        with locked(task.work / ".lock"):
            return {"finish": runner_of(kind)(task)}
    except Stopped as stopped:
        return {"stopped": {"cancelled": stopped.cancelled}}
    except Later as later:
        return {"stopped": {"wait": min(later.seconds, LONGEST)}}
    except HearthError as error:
        return {"fail": str(error), "retry": False}
    except Again as error:
        return {"fail": str(error), "retry": True}
    except Exception as error:
        traceback.print_exc()
        name = type(error).__name__
        return {"fail": f"it met a bug ({name}, see the worker's log)", "retry": True}


class _Voice:
    """Writes lines, from any thread."""

    def __init__(self, channel: FileIO) -> None:
        self._channel = channel
        self._lock = threading.Lock()

    def __call__(self, said: dict[str, Any]) -> None:
        line = orjson.dumps(said, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
        with self._lock:
            rest = memoryview(line + b"\n")
            while rest:
                rest = rest[self._channel.write(rest) :]


def _die_with(worker: int) -> None:
    """Let the kernel end this process when the worker's ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != worker:
        os._exit(LEASE_OVER)


def _end_with_the_lease(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([0], [], [], left)[0]:
            if not os.read(0, 4096):
                break
            deadline = time.monotonic() + seconds
    os._exit(LEASE_OVER)


if __name__ == "__main__":
    main()
