"""Requests that the ledger pays for: a hold and a settlement each, on the disk in the end (SQLite).

Ours groups what many requests ask for into one commit; against it the same operations with a commit
each, by a loop that keeps its connection too, so that grouping is the difference. Both sides take
turns, on files of the same disk.
"""

from __future__ import annotations

import asyncio
import contextlib
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from _results import Row, alternate, seconds, write

from openhearth.platform.database import Database
from openhearth.platform.ledger import Ledger
from openhearth.platform.ledger.holds import Claim, place, settle

PAIRS = 512
HELD = 4000
COUNTS = {"input": 20, "output": 30}
ENOUGH = 10**14  # units


class Side:
    """A wallet with enough in a database of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.database = Database.open(folder / f"{name}.db")
        self.ledger = Ledger(self.database, beat_seconds=3600)
        self.ids = (f"r{number}" for number in count())
        asyncio.run(self.ledger.grant("org", ENOUGH))

    def close(self) -> None:
        assert asyncio.run(self.ledger.check_books()) == []
        self.ledger.close()
        self.database.close()


def grouped(side: Side, at_once: int) -> float:
    """Pairs a second of so many requests at once."""

    async def request() -> None:
        for _ in range(PAIRS // at_once):
            request_id = next(side.ids)
            await side.ledger.hold(request_id, "org", HELD, key="k", project="p", model="m")
            await side.ledger.settle(request_id, COUNTS)

    async def all_of_them() -> None:
        await asyncio.gather(*(request() for _ in range(at_once)))

    return PAIRS / seconds(lambda: asyncio.run(all_of_them()))


def one_by_one(side: Side) -> float:
    """Pairs a second where every operation has a commit of its own."""
    prices = side.ledger.prices
    version, kept = prices.current().version, side.database.kept()

    def work() -> None:
        for _ in range(PAIRS):
            claim = Claim(next(side.ids), "org", "p", "k", "m", HELD, version)
            with kept.writing(durable=False) as connection:
                place(connection, claim)
            with kept.writing() as connection:
                settle(connection, claim.request_id, COUNTS, prices)

    with contextlib.closing(kept):
        return PAIRS / seconds(work)


def main() -> None:
    rows = []
    with TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        ours, peer = (
            stack.enter_context(contextlib.closing(Side(Path(folder), name)))
            for name in ("ours", "peer")
        )
        for at_once, goal in ((1, 0.5), (16, 2.0), (128, 3.0)):
            measured = alternate(
                lambda at_once=at_once: grouped(ours, at_once), lambda: one_by_one(peer), rounds=3
            )
            work = f"hold and settle, {at_once} requests at once"
            rows.append(Row(work, "pairs/s", *measured, "a commit each", goal=goal))
    write("ledger_pairs", rows)


if __name__ == "__main__":
    main()
