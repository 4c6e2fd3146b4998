"""What the books must say of requests, after everything that can die has died."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from openhearth.platform.database import database_of
from openhearth.platform.jobs.tables import jobs
from openhearth.platform.ledger.check import audit
from openhearth.platform.ledger.tables import holds, lines, receipts
from tests.system.chaos.clients import Seen

INPUT, CACHED, OUTPUT, TRAINING = 10, 5, 40, 50  # units for a token, by the prices that ship

Charged = dict[str, dict[str, int]]  # tokens by kind, of each request


def wrong(home: Path, seen: Sequence[Seen]) -> list[str]:
    """What does not agree, in words."""
    with contextlib.closing(database_of(home)) as database, database.reading() as connection:
        found = audit(connection)
        left = select(func.count()).where(holds.c.state == "held")
        if held := connection.execute(left).scalar_one():
            found.append(f"{held} holds are left")
        rows: Any = connection.execute(select(receipts.c.request_id, receipts.c.total)).all()
        totals = dict(map(tuple, rows))
        charged: Charged = defaultdict(dict)
        for row in connection.execute(select(lines)):
            charged[row.request_id][row.kind] = row.quantity
        tuned = connection.execute(select(jobs).where(jobs.c.kind == "fine-tune")).all()
    if not any(job.state == "succeeded" for job in tuned):
        found.append("no fine-tuning job has succeeded")
    found += [fault for job in tuned for fault in _wrongly_paid(job, totals.get(job.id))]
    return [*found, *(fault for one in seen for fault in _faults(one, totals, charged))]


def _wrongly_paid(job: Any, total: int | None) -> Iterator[str]:
    """What a fine-tuning job cost else than what it trained, or than nothing if it failed."""
    tokens = job.result["trained_tokens"] if job.state == "succeeded" else 0
    if (total or 0) != TRAINING * tokens:
        yield f"{job.id} has {job.state} after {tokens} tokens and was charged {total}"


def _faults(one: Seen, totals: dict[str, int], charged: Charged) -> Iterator[str]:
    total = totals.get(one.id or "")
    if one.ended == "refused" and total is not None:
        yield f"{one.id} was refused with {one.status} and charged {total}"
    if total is not None and total > INPUT * one.prompt + OUTPUT * one.most:
        yield f"{one.id} was charged {total}, which is more than it can have come to"
    if one.ended == "finished":
        yield from _unlike(one, total, charged.get(one.id or "", {}))


def _unlike(one: Seen, total: int | None, tokens: dict[str, int]) -> Iterator[str]:
    """What a receipt says else than the end of the answer said to its caller."""
    if one.usage is None:
        yield f"{one.id} ended without its usage"
        return
    cached = one.usage["prompt_tokens_details"]["cached_tokens"]
    used = {
        "input": one.usage["prompt_tokens"] - cached,
        "cached_input": cached,
        "output": one.usage["completion_tokens"],
    }
    if {kind: count for kind, count in used.items() if count} != tokens:
        yield f"{one.id} used {used}, but its receipt says {tokens}"
    cost = used["input"] * INPUT + cached * CACHED + used["output"] * OUTPUT
    if not cost == total == one.usage["cost"]:
        yield f"{one.id} cost {cost}, was told {one.usage['cost']} and charged {total}"
