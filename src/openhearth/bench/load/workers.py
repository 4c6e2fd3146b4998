"""Several processes that send shares of one load, from one instant on."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import IO, Any

from openhearth.bench.load.carry_out import carried_out
from openhearth.bench.load.drive import Drive
from openhearth.bench.load.sharing import Sent, merge, share
from openhearth.bench.load.target import Target
from openhearth.bench.records import Ask
from openhearth.errors import HearthError
from openhearth.processes import attached

LEAD_S = 0.2


def carry_out_together(
    target: Target,
    asks: Sequence[Ask],
    callers: int | None,
    timeout_s: float,
    processes: int,
    seen: Callable[[int], Any],
) -> Sent:
    """As `carry_out` does, by so many processes, but no more than there are callers.

    Raises:
        HearthError: one of them has died.
    """
    processes = processes if callers is None else min(processes, callers)
    workers = [_Worker(number) for number in range(processes)]
    try:
        for number, worker in enumerate(workers):
            mine = None if callers is None else len(range(number, callers, processes))
            worker.tell((target, share(asks, number, processes), mine, timeout_s, number))
        for worker in workers:
            worker.hear()  # that it is ready
        start = time.monotonic() + LEAD_S
        for worker in workers:
            worker.tell(start)
        return merge(_collected(workers, seen))
    finally:
        for worker in workers:
            worker.close()


def _collected(workers: Sequence[_Worker], seen: Callable[[int], Any]) -> list[Sent]:
    """What all of them tell in the end; Ctrl-C makes that soon."""
    heard: SimpleQueue[tuple[int, Any]] = SimpleQueue()
    for number, worker in enumerate(workers):
        worker.listens = threading.Thread(target=_listen, args=(number, worker, heard), daemon=True)
        worker.listens.start()
    done = [0] * len(workers)
    parts: list[Sent] = []
    while len(parts) < len(workers):
        try:
            number, value = heard.get()
        except KeyboardInterrupt:
            for worker in workers:
                worker.break_off()
            continue
        if isinstance(value, HearthError):
            raise value
        if isinstance(value, Sent):
            parts.append(value)
        else:
            done[number] = value
            seen(sum(done))
    return parts


def _listen(number: int, worker: _Worker, heard: SimpleQueue[tuple[int, Any]]) -> None:
    value: Any = 0
    while isinstance(value, int):
        try:
            value = worker.hear()
        except HearthError as error:
            value = error
        heard.put((number, value))


class _Worker:
    """A process, with which this one speaks in pickles. `listens` is who waits for what it says."""

    listens: threading.Thread | None = None

    def __init__(self, number: int) -> None:
        self._number = number
        command = attached([sys.executable, "-m", "openhearth.bench.load.workers"])
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            process_group=0,  # Ctrl-C is for us alone
        )

    def tell(self, value: Any) -> None:
        assert self._process.stdin is not None
        pickle.dump(value, self._process.stdin)
        self._process.stdin.flush()

    def hear(self) -> Any:
        assert self._process.stdout is not None
        try:
            return pickle.load(self._process.stdout)  # noqa: S301 - of our own process
        except EOFError:
            status = self._process.wait()
            raise HearthError(
                f"Process {self._number} of the load has died (status {status}): see its message "
                "above, if it had one, and start the load again."
            ) from None

    def break_off(self) -> None:
        self._process.terminate()

    def close(self) -> None:
        self._process.kill()
        if self.listens:
            self.listens.join()  # it reads to the end of what is closed then
        self._process.communicate()


def work(told: IO[bytes], tell: Callable[[Any], None]) -> None:
    """What a process does with its share."""
    target, asks, callers, timeout_s, number = pickle.load(told)  # noqa: S301 - of our parent
    drive = Drive(target, asks, callers, timeout_s, tell)

    def when() -> float:
        tell("ready")
        return pickle.load(told)  # noqa: S301 - of our parent

    tell(carried_out(drive, target, when, number))


def main() -> None:
    def tell(value: Any) -> None:
        pickle.dump(value, sys.stdout.buffer)
        sys.stdout.buffer.flush()

    work(sys.stdin.buffer, tell)


if __name__ == "__main__":
    main()
