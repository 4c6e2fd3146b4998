"""A job's process from the worker's side: its start, its lines, its end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from openhearth.platform.jobs.child import CANCEL
from openhearth.platform.jobs.client import Refused, Tenure
from openhearth.platform.jobs.messages import MOST_ROWS
from openhearth.platform.strangers import environment

GRACE_SECONDS = 10.0  # of silence, for a process that was asked to stop
GATHERING_SECONDS = 0.2  # in which lines go together
MOST_BYTES = 400_000  # of a line, and of what goes together before the last one


class Process:
    """Runs until it is done, or is ended. Before its first word signals would kill it."""

    def __init__(self, process: asyncio.subprocess.Process, cancel: bool) -> None:
        self._process = process
        self._begun = False
        self._asked: signal.Signals | None = CANCEL if cancel else None
        self._killing: asyncio.TimerHandle | None = None

    @classmethod
    async def start(cls, command: Sequence[str], tenure: Tenure, work: Path, home: Path) -> Process:
        """Start it, and give it its task."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MOST_BYTES,
            env=environment() | {"OPENHEARTH_HOME": str(home)},
        )
        task = {
            "id": tenure.work.id,
            "kind": tenure.work.kind,
            "project": tenure.work.project,
            "payload": tenure.work.payload,
            "checkpoint": tenure.work.checkpoint,
            "cancel": tenure.work.cancel,
            "seconds": tenure.seconds,
            "work": str(work),
            "url": tenure.work.url,
            "key": tenure.work.key,
            "worker": os.getpid(),
        }
        assert process.stdin is not None
        process.stdin.write(orjson.dumps(task) + b"\n")
        return cls(process, tenure.work.cancel)

    @property
    def handed_back(self) -> bool:
        """Whether it was asked to end for others to go on, and for nothing else."""
        return self._asked == signal.SIGTERM

    @property
    def ending(self) -> str:
        """How it ended."""
        code = self._process.returncode or 0
        if code >= 0:
            return f"ended with the exit code {code}"
        return f"was ended by {signal.Signals(-code).name}"

    async def lines(self) -> AsyncIterator[list[dict[str, Any]]]:
        """What it says, some lines at a time, until its end.

        Raises:
            Refused: a line is too long, or is no JSON object.
        """
        assert self._process.stdout is not None
        try:
            while line := await self._process.stdout.readline():
                self._heard()
                together, size = [orjson.loads(line)], len(line)
                with suppress(TimeoutError):
                    async with asyncio.timeout(GATHERING_SECONDS):
                        while len(together) < MOST_ROWS and size < MOST_BYTES:
                            if not (line := await self._process.stdout.readline()):
                                break
                            together.append(orjson.loads(line))
                            size += len(line)
                yield together
        except ValueError as error:
            self.kill()
            raise Refused(f"The job said something that cannot be passed on ({error}).") from error

    def renewed(self) -> None:
        """Let it live as long as a lease from now on."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(b"\n")

    def stop(self) -> None:
        """Ask it to end, for others to go on; when nothing is heard of it any more, make it."""
        if self._asked is None:
            self._ask_to_end(signal.SIGTERM)

    def cancel(self) -> None:
        """Ask it to end for good, likewise."""
        if self._asked != CANCEL:
            self._ask_to_end(CANCEL)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    async def wait(self) -> None:
        """Until it has ended."""
        await self._process.wait()

    async def end(self) -> None:
        """Make sure that it has ended."""
        if self._killing is not None:
            self._killing.cancel()
        self.kill()
        await self.wait()

    def _ask_to_end(self, how: signal.Signals) -> None:
        self._asked = how
        if self._begun:
            self._signal(how)
            self._give_time()
        elif how == signal.SIGTERM:
            self.kill()  # which has done nothing

    def _heard(self) -> None:
        """Tell it with its first word what it was asked meanwhile; who says something is at it."""
        if self._asked is not None:
            if not self._begun:
                self._signal(self._asked)
            self._give_time()
        self._begun = True

    def _give_time(self) -> None:
        """From the last that was heard of it."""
        if self._killing is not None:
            self._killing.cancel()
        self._killing = asyncio.get_running_loop().call_later(GRACE_SECONDS, self.kill)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
