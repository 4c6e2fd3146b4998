"""A load, carried out by this process or by several."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvloop

from openhearth.bench.load.drive import Drive
from openhearth.bench.load.endings import record
from openhearth.bench.load.sharing import Sent
from openhearth.bench.load.target import Target
from openhearth.bench.records import Ask
from openhearth.errors import UsageError

LEAD_S = 0.05  # from the moment when all is ready to the begin


def carry_out(
    target: Target,
    asks: Sequence[Ask],
    *,
    callers: int | None = None,
    timeout_s: float = 120.0,
    processes: int = 1,
    seen: Callable[[int], Any] = lambda done: None,
) -> Sent:
    """Send each request when it is due, and note what comes. Every request has a record.

    With `callers` the loop is closed: so many conversations at a time, `at` of first turns is of no
    account. `seen` is told now and then how many have ended. Ctrl-C ends the load early; what had
    not ended is then BROKEN_OFF.

    Raises:
        UsageError: the target is none, numbers of requests do not fit together, or there are no
            callers or processes.
        HearthError: one of several processes has died.
    """
    if processes < 1 or (callers is not None and callers < 1) or not timeout_s > 0:
        raise UsageError("A load needs at least one process, one caller and some patience.")
    target.door  # noqa: B018 - is refused here, and not by a process of its own
    if processes > 1:
        from openhearth.bench.load.workers import carry_out_together

        return carry_out_together(target, asks, callers, timeout_s, processes, seen)
    drive = Drive(target, asks, callers, timeout_s, seen)
    return carried_out(drive, target, lambda: time.monotonic() + LEAD_S)


def carried_out(drive: Drive, target: Target, when: Callable[[], float], process: int = 0) -> Sent:
    """What a drive does, and the records of it. `when` is asked for the instant at which it begins
    (CLOCK_MONOTONIC) as soon as all is ready.
    """
    _allow_connections()
    with _undisturbed(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop()
        start = when()
        began = time.time() + start - time.monotonic()
        runner.run(_run(drive, start))
    records = sorted(
        (record(one, start, target.key) for one in drive.ended), key=lambda one: one.number
    )
    for one in records:
        one.process = process
    return Sent(records, drive.interrupted, began)


async def _run(drive: Drive, start: float) -> None:
    loop = asyncio.get_running_loop()
    here = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if here else ()
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        loop.add_signal_handler(number, drive.break_off)
    try:
        await drive.run(start)
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def _allow_connections() -> None:
    """As many open ones as the system lets a process have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Without garbage collection: what lives now lives on, and exchanges leave no cycles."""
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()
