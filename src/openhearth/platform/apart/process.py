"""A lane's process from the gateway's side: its start, its answers, its end."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading

import orjson

from openhearth.fleet.errors import error_of
from openhearth.platform.apart.work import BROKEN, DONE, HEADER, LARGEST, REFUSED, Work
from openhearth.platform.errors import ApiError
from openhearth.platform.strangers import environment
from openhearth.processes import attached

COMMAND = [sys.executable, "-m", "openhearth.platform.apart.child"]


class Process:
    """Started when there is something to do. All of it is for one thread, with which the process
    ends (on Linux).
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def do(self, work: Work) -> bytes:
        """What a piece of work makes.

        Raises:
            HearthError: as the function does.
            ApiError: 400, it took more time or memory than it may.
            RuntimeError: the function has a bug; its traceback is in the log.
        """
        kind, said = self._answer(work)
        if kind == DONE:
            return said
        if kind == REFUSED:
            raise error_of(*orjson.loads(said))
        if kind == BROKEN:
            raise RuntimeError(f"{work.function} failed in a process apart")
        self.end()
        raise ApiError(
            400,
            f"That takes more than {work.seconds:g} seconds or {work.memory} bytes of memory here: "
            "ask for less, or split the file.",
            code="too_much_work",
        )

    def end(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _answer(self, work: Work) -> tuple[int | None, bytes]:
        """Which answer there is, if there is one, and its bytes."""
        process = self._process
        if process is None or process.poll() is not None:
            process = self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Timer(work.seconds, process.kill)
        late.daemon = True  # who ends meanwhile need not wait for it
        late.start()
        try:
            with contextlib.suppress(BrokenPipeError):  # it has died, which reading will tell
                process.stdin.write(work.line())
                process.stdin.flush()
            header = process.stdout.read(HEADER.size)
            kind, size = HEADER.unpack(header) if len(header) == HEADER.size else (None, 0)
            said = process.stdout.read(min(size, LARGEST + 1))
        finally:
            late.cancel()
        return (kind, said) if len(said) == size <= LARGEST else (None, b"")

    def _start(self) -> subprocess.Popen[bytes]:
        self.end()
        self._process = subprocess.Popen(
            attached(COMMAND, signal.SIGKILL),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
        )
        return self._process
