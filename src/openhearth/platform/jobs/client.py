"""The worker's side of jobs on the bus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from openhearth.errors import HearthError, UsageError
from openhearth.platform.jobs.bus import Bus
from openhearth.platform.jobs.job import SECONDS, LeaseLost
from openhearth.platform.jobs.messages import (
    SUBJECT,
    Ask,
    AskLease,
    AskOver,
    Held,
    Record,
    Renew,
    Reply,
    Work,
)

ANSWER_SECONDS = 5.0
PAUSE_SECONDS = 0.25  # before asking again where there was no answer


class Refused(UsageError):
    """The gateway understands a message, and does not accept it."""


class Client:
    """Asks the gateway for work."""

    def __init__(self, bus: Bus, worker: str, seconds: float = SECONDS) -> None:
        self._bus = bus
        self._worker = worker
        self._seconds = seconds

    async def lease(self, kinds: Sequence[str]) -> Tenure | None:
        """Some work, if there is any.

        Raises:
            HearthError, OSError: there is no answer.
        """
        asked_at = time.monotonic()
        ask = AskLease(worker=self._worker, kinds=list(kinds), seconds=self._seconds)
        work = (await ask_once(self._bus, ask)).work
        if work is None:
            return None
        return Tenure(self._bus, work, self._seconds, asked_at + self._seconds)

    async def over(self, jobs: Sequence[str]) -> Sequence[str]:
        """Those of the jobs with which nobody will go on.

        Raises:
            HearthError, OSError: there is no answer.
        """
        return (await ask_once(self._bus, AskOver(ids=list(jobs)))).over


class Tenure:
    """A lease that this worker has, and until when, by its own clock, nobody else can have it."""

    def __init__(self, bus: Bus, work: Work, seconds: float, until: float) -> None:
        self._bus = bus
        self.work = work
        self.seconds = seconds
        self.until = until

    @property
    def fence(self) -> dict[str, Any]:
        """What every message under the lease begins with."""
        return {"id": self.work.id, "attempt": self.work.attempt, "seconds": self.seconds}

    async def say(self, message: Held) -> bool:
        """Send a message until it is heard; say whether the job is to be cancelled.

        Raises:
            LeaseLost: the job is another's, or may be by now.
            Refused: the message is not accepted.
        """
        while True:
            asked_at = time.monotonic()
            left = self.until - asked_at
            if left <= 0:
                raise LeaseLost(f"The lease of {self.work.id} could not be renewed in time.")
            try:
                reply = await ask_once(self._bus, message, min(left, ANSWER_SECONDS))
            except Refused:
                raise
            except (HearthError, OSError):
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if reply.lost:
                self.until = asked_at
                raise LeaseLost(f"The job {self.work.id} is another's by now, or over.")
            if isinstance(message, Renew | Record):
                self.until = max(self.until, asked_at + self.seconds)
            return reply.cancel


async def ask_once(bus: Bus, ask: Ask | Held, seconds: float = ANSWER_SECONDS) -> Reply:
    """The reply to a message.

    Raises:
        Refused: the gateway does not accept it.
        HearthError, OSError: there is none.
    """
    data = await bus.request(SUBJECT, ask.model_dump_json().encode(), seconds)
    reply = Reply.model_validate_json(data)
    if reply.refused is not None:
        raise Refused(reply.refused)
    return reply
