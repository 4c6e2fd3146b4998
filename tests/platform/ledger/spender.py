"""A process that spends from a wallet as fast as it can, and says what it did, until it is killed.

Each line of standard output was written before (`delivers`) or after (`settled`) what it says.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from itertools import count
from random import Random

from openhearth.platform.database import Database
from openhearth.platform.ledger import HoldLost, Ledger

WORKERS = 32
HELD = 4000


def say(*words: object) -> None:
    print(*words, flush=True)


async def spend(ledger: Ledger, name: str, worker: int) -> None:
    """One request after the other; who was too slow and taken for dead goes on with the next."""
    random = Random(f"{name}-{worker}")
    for number in count():
        with contextlib.suppress(HoldLost):
            await request(ledger, f"{name}-{worker}-{number}", f"key_{worker % 3}", random)


async def request(ledger: Ledger, request_id: str, key: str, random: Random) -> None:
    """Some are released, some settled, some of them twice."""
    await ledger.hold(request_id, "org_a", HELD, key=key, project="proj_a", model="tiny")
    output = 0
    for _ in range(random.randrange(4)):
        output += random.randrange(1, 20)
        say("delivers", request_id, output)
        await ledger.delivered(request_id, {"input": 10, "output": output})
    if random.random() < 0.2:
        await ledger.release(request_id)
        say("released", request_id, 0)
        return
    for _ in range(random.randrange(1, 3)):
        receipt = await ledger.settle(request_id, {"input": 10, "output": output + 1})
    say("settled", request_id, receipt.total)


async def main(url: str, name: str) -> None:
    ledger = Ledger(Database.open(url), beat_seconds=0.5)
    await asyncio.gather(*(spend(ledger, name, worker) for worker in range(WORKERS)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
