"""Paying for fine-tuning: what a job may cost is held before it begins, and what was trained is
charged when it is over, once, whoever dies in between.

A row is written before credits are held, and closed after they are settled. Whatever is open is
looked after until it is closed: the job's own state says what is due, and the ledger charges an id
once. So there is nothing between them that a crash could lose.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

from openhearth.errors import HearthError, NotFound
from openhearth.platform.database import Database, Statement
from openhearth.platform.finetuning.books import Books, Payer
from openhearth.platform.finetuning.tables import charges
from openhearth.platform.jobs import Job, Jobs, Metric

SWEEP_SECONDS = 2.0
HOLD_SECONDS = 3 * 24 * 3600  # that credits stay held if nobody looks after them any more
MARK_SECONDS = 3600  # after which a hold is prolonged
MAKING_SECONDS = 60  # that there may be credits held for a job that is not there yet
PAGE = 1000

_job = sa.bindparam("of_job", type_=sa.String)
OPENED = Statement(
    sa.select(charges).where(
        charges.c.charged.is_(None), sa.or_(_job.is_(None), charges.c.job == _job)
    )
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Estimate:
    """What a job may cost at most, in units, by the present prices; and what there is to pay it."""

    tokens: int
    price: int
    available: int | None  # None where nothing costs anything


class Charges:
    """What the fine-tuning jobs of a database cost; nothing, where there are no books."""

    def __init__(self, database: Database, jobs: Jobs, books: Books | None = None) -> None:
        self._database = database
        self._jobs = jobs
        self._books = books

    async def estimate(self, model: str, tokens: int, organisation: str) -> Estimate:
        """Of training on so many tokens."""
        if self._books is None:
            return Estimate(tokens, 0, None)
        price = self._books.prices.current().cost(model, {"training": tokens})
        return Estimate(tokens, price, (await self._books.balance(organisation)).available)

    async def hold(self, job: str, payer: Payer, model: str, tokens: int) -> None:
        """Hold what a job may cost that is about to be made.

        Raises:
            ApiError: 402, it cannot be paid.
        """
        if self._books is None:
            return
        prices = self._books.prices.current()
        amount, now = prices.cost(model, {"training": tokens}), int(time.time())
        row = {"job": job, "project": payer.project, "held": amount, "created": now, "marked": now}
        await self._write(sa.insert(charges).values(row))
        try:
            await self._books.hold(
                job,
                payer.organisation,
                amount,
                key=payer.key,
                project=payer.project,
                model=model,
                cap=payer.limits.spending_cap,
                prices=prices,
                lasts=HOLD_SECONDS,
            )
        except Exception:
            await self._write(sa.delete(charges).where(charges.c.job == job))
            raise

    async def release(self, job: str) -> None:
        """Give back what is held for a job that could not be made."""
        if self._books is not None:
            await self._books.release(job)
            await self._write(sa.delete(charges).where(charges.c.job == job))

    async def prices(self, jobs: Collection[str]) -> dict[str, int]:
        """What jobs were charged, or what is held for them."""
        wanted = sa.select(charges).where(charges.c.job.in_(jobs))
        rows = await self._database.read(lambda connection: connection.execute(wanted).all())
        return {row.job: row.held if row.charged is None else row.charged for row in rows}

    async def forget(self, job: str) -> None:
        """Settle a job that is over, and forget what it cost: the receipt is the ledger's."""
        await self.sweep(job)
        await self._write(sa.delete(charges).where(charges.c.job == job))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look after what is open until the block is left."""
        task = asyncio.create_task(self._keep_sweeping())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _keep_sweeping(self) -> None:
        while True:
            try:
                await self.sweep()
            except Exception:
                log.exception("fine-tuning jobs could not be charged yet")
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self, job: str | None = None) -> None:
        """Settle what is over, of all jobs or of one."""
        if self._books is None:
            return
        for row in await self._database.read(partial(OPENED.run, of_job=job)):
            await self._look_after(self._books, row)

    async def _look_after(self, books: Books, row: Any) -> None:
        job = await asyncio.to_thread(self._find, row)
        now = int(time.time())
        if job is None:
            if row.created + MAKING_SECONDS < now:
                await self.release(row.job)
        elif job.is_over:
            due = await asyncio.to_thread(tokens_due, self._jobs, job)
            await self._close(row.job, await _settle(books, row.job, due))
        elif row.marked + MARK_SECONDS < now:
            done = await asyncio.to_thread(tokens_done, self._jobs, job.id)
            await books.delivered(row.job, {"training": done}, lasts=HOLD_SECONDS)
            await self._update(row.job, marked=now)

    def _find(self, row: Any) -> Job | None:
        with suppress(NotFound):
            return self._jobs.get(row.job, row.project)
        return None

    async def _close(self, job: str, charged: int) -> None:
        await self._update(job, charged=charged)

    async def _update(self, job: str, **values: int) -> None:
        await self._write(sa.update(charges).where(charges.c.job == job).values(values))

    async def _write(self, statement: Any) -> None:
        await self._database.write(lambda connection: connection.execute(statement))


async def _settle(books: Books, job: str, tokens: int) -> int:
    """What was charged, in units."""
    if tokens == 0:
        await books.release(job)
        return 0
    try:
        return (await books.settle(job, {"training": tokens})).total
    except HearthError:
        log.exception("nothing is held for the job %s any more: it was not charged", job)
        return 0


def tokens_due(jobs: Jobs, job: Job) -> int:
    """What a job that is over has to pay for: what it trained, and nothing if it failed."""
    if job.state == "succeeded":
        return int((job.result or {})["trained_tokens"])
    return tokens_done(jobs, job.id) if job.state == "cancelled" else 0


def tokens_done(jobs: Jobs, job: str) -> int:
    """What a job has trained on so far."""
    return sum(int(metric.values.get("tokens", 0)) for metric in all_metrics(jobs, job))


def all_metrics(jobs: Jobs, job: str) -> Iterator[Metric]:
    """The numbers of all steps of a job."""
    after = -1
    while page := jobs.metrics(job, after=after, limit=PAGE):
        yield from page
        after = page[-1].step
