"""One process and its queue: pieces of work go through it one after another."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from openhearth.platform.apart.process import Process
from openhearth.platform.apart.work import Work
from openhearth.platform.errors import ApiError

IDLE_SECONDS = 60.0  # after which the process ends, and what it has in memory goes
WAITING = 32  # pieces of work, with the one that is done
OF_AN_OWNER = 4  # of these, so that nobody fills the queue alone
AGAIN_SECONDS = 5  # that a caller is asked to wait

Asked = tuple[Work, "Future[bytes]"]


class Lane:
    """Its methods may be called from any thread."""

    def __init__(
        self, waiting: int = WAITING, of_an_owner: int = OF_AN_OWNER, idle: float = IDLE_SECONDS
    ) -> None:
        self._waiting, self._of_an_owner, self._idle = waiting, of_an_owner, idle
        self._asked: SimpleQueue[Asked] = SimpleQueue()
        self._owners: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._running = False

    def submit(self, work: Work, owner: str) -> Future[bytes]:
        """What a piece of work makes, or raises as `Process.do` does. Cancelled before its turn it
        is not begun.

        Raises:
            ApiError: 503, too much waits already; 429, too much of this owner's.
        """
        future: Future[bytes] = Future()
        with self._lock:
            self._check_room(owner)
            self._owners[owner] += 1
            self._asked.put((work, future))
            if not self._running:
                self._running = True
                # It ends with us, however we end, and its process with it.
                threading.Thread(target=self._run, name="apart", daemon=True).start()
        future.add_done_callback(lambda _: self._leave(owner))
        return future

    def _check_room(self, owner: str) -> None:
        if self._owners.total() >= self._waiting:
            raise ApiError(
                503,
                "Too much waits to be read or packed here: try again in a moment.",
                kind="server_error",
                code="server_overloaded",
                retry_after=AGAIN_SECONDS,
            )
        if self._owners[owner] >= self._of_an_owner:
            raise ApiError(
                429,
                f"{self._of_an_owner} files of this project wait to be read or packed already: "
                "wait for one of them.",
                kind="rate_limit_error",
                code="rate_limit_exceeded",
                retry_after=AGAIN_SECONDS,
            )

    def _leave(self, owner: str) -> None:
        with self._lock:
            self._owners[owner] -= 1
            if self._owners[owner] == 0:
                del self._owners[owner]

    def _run(self) -> None:
        process = Process()
        try:
            while (asked := self._next()) is not None:
                _carry_out(process, *asked)
        finally:
            process.end()

    def _next(self) -> Asked | None:
        """What to do next; None if there was nothing for a while."""
        try:
            return self._asked.get(timeout=self._idle)
        except Empty:
            with self._lock:
                if self._asked.empty():
                    self._running = False
                    return None
            return self._asked.get()


def _carry_out(process: Process, work: Work, future: Future[bytes]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        made = process.do(work)
    except Exception as error:
        future.set_exception(error)
    else:
        future.set_result(made)
