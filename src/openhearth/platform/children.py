"""Processes of the platform, each of which is started again when it dies, later each time."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from openhearth.processes import attached

STEADY = 10.0  # seconds of life after which a death is none of a series
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0  # before it is started again; the first time at once
LARGEST_LOG = 16 * 2**20  # bytes, at which a log is put aside in place of the last one


class Revival:
    """Starts something that has died: at once if it had lived for long, else later each time."""

    def __init__(self, start: Callable[[], None], is_alive: Callable[[], bool]) -> None:
        self.deaths = 0
        self._start = start
        self._is_alive = is_alive
        self._mourned = True  # nothing has died yet
        self._begun = self._due = self._pause = 0.0

    def look(self) -> None:
        """Start it if it does not live, and if it is time to. Raises what `start` raises."""
        if self._is_alive():
            self._mourned = False
            return
        now = time.monotonic()
        if not self._mourned:
            self._mourn(now)
        if now >= self._due:
            self._begun, self._mourned = now, False
            self._start()

    def _mourn(self, now: float) -> None:
        """Count a death, and say when it is started again."""
        self.deaths += 1
        steady = now - self._begun > STEADY
        self._pause = 0.0 if steady else min(max(FIRST_PAUSE, self._pause * 2), LONGEST_PAUSE)
        self._due, self._mourned = now + self._pause, True


class Child:
    """A command that runs until `stop`. It dies with this process, whatever ends it (on Linux)."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        files: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = os.environ | dict(environment)
        self._files = files
        self._process: subprocess.Popen[bytes] | None = None
        self._life = Revival(self._start, lambda: self.pid is not None)

    @property
    def pid(self) -> int | None:
        """Its process, if it runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process and running else None

    @property
    def deaths(self) -> int:
        """How often it has died."""
        return self._life.deaths

    def look(self) -> None:
        """Start it if it does not run, and if it is time to.

        Raises:
            OSError: it cannot be started, for example because the disk is full.
        """
        self._life.look()
        self._bound_log()

    def last_words(self) -> str:
        """The end of what it wrote."""
        lines = self.log.read_text(errors="replace").split("\n") if self.log.exists() else []
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")

    def stop(self, grace: float) -> None:
        """End it, within so many seconds."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _start(self) -> None:
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                attached(self._command, signal.SIGKILL),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                pass_fds=self._files,
                start_new_session=True,  # Ctrl-C is for us, who end them in order
            )

    def _bound_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            with contextlib.suppress(OSError):  # on a full disk what it said is let go
                shutil.copyfile(self.log, self.log.with_suffix(".old"))
            os.truncate(self.log, 0)  # whoever has it open writes at its end

    def _signal(self, number: int) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
