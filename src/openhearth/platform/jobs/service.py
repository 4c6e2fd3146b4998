"""The gateway's side of jobs on the bus: it alone writes the table, workers ask it to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError

from openhearth.errors import HearthError
from openhearth.platform.jobs.bus import Bus
from openhearth.platform.jobs.entry import Entry
from openhearth.platform.jobs.job import Lease, LeaseLost, Metric, News
from openhearth.platform.jobs.jobs import Jobs
from openhearth.platform.jobs.messages import (
    ASK,
    MOST_BYTES,
    SUBJECT,
    Ask,
    AskLease,
    AskOver,
    Fail,
    Finish,
    Record,
    Renew,
    Reply,
    Work,
)
from openhearth.platform.jobs.orphans import Orphans

SWEEP_SECONDS = 1.0

log = logging.getLogger(__name__)


class JobService:
    """Answers workers. By an `entry` their jobs can use the gateway's routes; `orphans` ends those
    that nobody may go on with.
    """

    def __init__(
        self,
        jobs: Jobs,
        bus: Bus,
        entry: Entry[Any] | None = None,
        orphans: Orphans | None = None,
    ) -> None:
        self._jobs = jobs
        self._bus = bus
        self._entry = entry
        self._orphans = orphans

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answer, and look after jobs whose workers are gone, until the block is left."""
        await self._bus.serve(SUBJECT, self.answer, queue=SUBJECT)
        sweeping = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping

    async def answer(self, data: bytes) -> bytes:
        """The reply to a message; whatever it says, there is one."""
        try:
            if len(data) > MOST_BYTES:
                raise LookupError(f"A message has at most {MOST_BYTES} bytes.")
            reply = await asyncio.to_thread(self._do, ASK.validate_json(data))
        except LeaseLost:
            reply = Reply(lost=True)
        except (HearthError, LookupError) as error:
            reply = Reply(refused=str(error))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            reply = Reply(refused=f"The message is wrong at {where}: {first['msg']}.")
        return reply.model_dump_json().encode()

    def _do(self, ask: Ask) -> Reply:
        if isinstance(ask, AskLease):
            leased = self._jobs.lease(ask.worker, ask.kinds, ask.seconds)
            if leased is None:
                return Reply()
            work = {k: v for k, v in asdict(leased).items() if k != "seconds"}
            if self._entry is not None:
                work |= asdict(self._entry.admit(leased))
            return Reply(work=Work(**work))
        if isinstance(ask, AskOver):
            return Reply(over=list(self._jobs.over(ask.ids)))
        lease = Lease(ask.id, ask.attempt, ask.seconds)
        if isinstance(ask, Renew):
            return Reply(cancel=self._jobs.renew(lease).cancel)
        if isinstance(ask, Record):
            news = [News(row.type, row.message, row.data, row.level) for row in ask.events]
            metrics = [Metric(row.step, row.values) for row in ask.metrics]
            order = self._jobs.record(lease, news, metrics, ask.checkpoint)
            return Reply(cancel=order.cancel)
        if isinstance(ask, Finish):
            self._jobs.finish(lease, ask.result)
        elif isinstance(ask, Fail):
            self._jobs.fail(lease, ask.error, ask.retry)
        else:
            self._jobs.release(lease, ask.wait, ask.cancelled)
        return Reply()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await asyncio.to_thread(self._look_after)
            except Exception:
                log.exception("jobs could not be looked after")

    def _look_after(self) -> None:
        if self._jobs.are_over():
            return
        self._jobs.sweep()
        if self._orphans is not None:
            self._orphans.cancel()
