"""What runners share that ask the gateway many things: several at once, and each only until there
is an answer, in whichever attempt.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, TypeVar

import orjson

from openhearth.platform.jobs.gateway import Gateway
from openhearth.platform.jobs.task import Later, Stopped, Task

TICK_SECONDS = 0.5
KEEPING_SECONDS = 24 * 3600  # in which what was made may be kept
BEGAN = "began"  # the name of when that was first tried
PARTING_SECONDS = 4.0  # of the ten that a job may be silent
T = TypeVar("T")


class Answers:
    """Values by name in a file that outlives the process, which are written one by one and read
    when they are wanted: only where they lie is kept in memory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._places: dict[str, int] = {}
        path.touch()
        with path.open("rb+") as file:
            end = 0
            for line in file:
                if not line.endswith(b"\n"):
                    break  # a process died while it wrote
                self._places[orjson.loads(line)["name"]] = end
                end += len(line)
            file.truncate(end)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, name: str) -> Any:
        with self._path.open("rb") as file:
            file.seek(self._places[name])
            return orjson.loads(file.readline())["value"]

    def __setitem__(self, name: str, value: Any) -> None:
        line = orjson.dumps({"name": name, "value": value}) + b"\n"
        with self._lock:
            with self._path.open("ab") as file:
                place = file.tell()
                file.write(line)
            self._places[name] = place


def kept(gateway: Gateway, path: Path, purpose: str) -> str:
    """The id of a file that was made, of which the gateway is asked only until it has it.

    Raises:
        Again, Later, HearthError: as `Gateway.keep`.
    """
    known = Answers(path.parent / "kept.jsonl")
    if BEGAN not in known:
        known[BEGAN] = time.time()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest not in known:
        known[digest] = gateway.keep(path, purpose, known[BEGAN] + KEEPING_SECONDS)
    return str(known[digest])


def each(
    task: Task,
    items: Iterable[T],
    do: Callable[[T], None],
    workers: int,
    tick: Callable[[], None],
) -> None:
    """Do something for each item, several at once, and `tick` from time to time.

    Raises:
        Stopped: the job was asked to end; what was under way has had a moment to come to its own.
        Later: something has to wait for long; what was under way beside it has come to its own.
    """
    waits: list[float] = []  # seconds

    def do_now(item: T) -> None:
        try:
            do(item)
        except Later as later:
            waits.append(later.seconds)

    pool = ThreadPoolExecutor(workers)
    under_way: set[Future[None]] = set()
    ticked = time.monotonic()
    try:
        for item in items:
            if waits:
                break
            under_way.add(pool.submit(do_now, item))
            while len(under_way) >= workers:
                under_way, ticked = _look(task, under_way, tick, ticked)
        while under_way:
            under_way, ticked = _look(task, under_way, tick, ticked)
    except Stopped:
        wait(under_way, PARTING_SECONDS)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if waits:
        raise Later(min(waits))


def _look(
    task: Task, under_way: set[Future[None]], tick: Callable[[], None], ticked: float
) -> tuple[set[Future[None]], float]:
    """Wait a little for one of those that are under way; those that still are."""
    task.pause()
    done, under_way = wait(under_way, TICK_SECONDS / 2, FIRST_COMPLETED)
    for future in done:
        future.result()
    if time.monotonic() - ticked >= TICK_SECONDS:
        tick()
        ticked = time.monotonic()
    return under_way, ticked
