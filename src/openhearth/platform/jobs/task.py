"""A job as its runner sees it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openhearth.platform.jobs.job import Level
from openhearth.store import Store

if TYPE_CHECKING:
    from openhearth.platform.jobs.entry import Pass
    from openhearth.platform.jobs.gateway import Gateway

LONGEST = 8000  # characters of a message
BUSY_SECONDS = 1.0  # after which it is said again that a job is busy


class Stopped(Exception):
    """The job was asked to end, and has: what it saved is where another attempt goes on, unless it
    is `cancelled`.
    """

    def __init__(self, cancelled: bool) -> None:
        self.cancelled = cancelled


class Again(Exception):
    """This attempt has failed by something that the next one may be spared."""


class Later(Exception):
    """What the job asks for is to be had in so many seconds: it goes on then from what it saved,
    and other jobs meanwhile.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class TooLate(Exception):
    """The time until which the job may ask is over."""


class Task:
    """What there is to do, how far others came with it, and whom to tell.

    `work` is a directory that outlives this process. `tell` sends what is said of the job.
    """

    def __init__(
        self,
        id: str,  # noqa: A002
        project: str,
        payload: dict[str, Any],
        checkpoint: dict[str, Any] | None,
        work: Path,
        tell: Callable[[dict[str, Any]], None],
        entry: Pass | None = None,
    ) -> None:
        self.id = id
        self.project = project
        self.payload = payload
        self.checkpoint = checkpoint
        self.work = work
        self.stopping = False  # for others to go on
        self.cancelled = False  # and nobody will
        self._tell = tell
        self._entry = entry

    @cached_property
    def store(self) -> Store:
        """The store of this machine."""
        return Store()

    @cached_property
    def gateway(self) -> Gateway:
        """The platform's own routes, as whoever made the job uses them, until the `deadline` of the
        payload, in UTC seconds.
        """
        from openhearth.platform.jobs.gateway import Gateway

        assert self._entry is not None, "the worker was told of no gateway"
        return Gateway(self._entry, self.pause, self.payload["deadline"])

    def save(self, value: dict[str, Any]) -> None:
        """Say how far the job is; what `checkpoint` will be if another process has to go on."""
        self.checkpoint = value
        self._tell({"checkpoint": value})

    def event(
        self,
        type: str,  # noqa: A002
        message: str = "",
        data: Mapping[str, Any] | None = None,
        level: Level = "info",
    ) -> None:
        """Say something to whoever watches."""
        text = message.replace("\0", "")[:LONGEST]
        said = {"type": type, "message": text, "data": dict(data or {}), "level": level}
        self._tell({"event": said})

    def metric(self, step: int, **values: float | None) -> None:
        """Give numbers of a step; those that are none are left out."""
        numbers = {
            name: value
            for name, value in values.items()
            if value is not None and math.isfinite(value)
        }
        self._tell({"metric": {"step": step, "values": numbers}})

    def pause(self) -> None:
        """A place at which the job may end: call it where nothing would be lost.

        Raises:
            Stopped: it was asked to.
        """
        if self.stopping or self.cancelled:
            raise Stopped(self.cancelled)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """A block whose end is worth waiting for, although the job was asked to end."""
        over = threading.Event()

        def say_so() -> None:
            while not over.wait(BUSY_SECONDS):
                self._tell({"busy": True})

        saying = threading.Thread(target=say_so, daemon=True)
        saying.start()
        try:
            yield
        finally:
            over.set()
            saying.join()
