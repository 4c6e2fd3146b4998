"""Processes of the platform, each of which is started again when it dies, later each time."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from openhearth.processes import attached

STEADY = 10.0  # seconds of life after which a death is none of a series
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0  # before it is started again; the first time at once
LARGEST_LOG = 16 * 2**20  # bytes, at which a log is put aside in place of the last one


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
        self.deaths = 0
        self._command = command
        self._environment = os.environ | dict(environment)
        self._files = files
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = self._due = 0.0
        self._pause = 0.0

    @property
    def pid(self) -> int | None:
        """Its process, if it runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process and running else None

    def look(self) -> None:
        """Start it if it does not run, and if it is time to."""
        self._bound_log()
        if self.pid is not None:
            return
        now = time.monotonic()
        if self._process is not None:
            self._mourn(now)
        if now >= self._due:
            self._start(now)

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

    def _mourn(self, now: float) -> None:
        """Count a death, and say when it is started again."""
        self.deaths += 1
        steady = now - self._begun > STEADY
        self._pause = 0.0 if steady else min(max(FIRST_PAUSE, self._pause * 2), LONGEST_PAUSE)
        self._due = now + self._pause
        self._process = None

    def _start(self, now: float) -> None:
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
        self._begun = now

    def _bound_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            shutil.copyfile(self.log, self.log.with_suffix(".old"))
            os.truncate(self.log, 0)  # whoever has it open writes at its end

    def _signal(self, number: int) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
