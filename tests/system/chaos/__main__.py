"""Chaos: processes of a platform are killed (kill -9) at random while callers ask without a pause.

`python -m tests.system.chaos --kills 200 --seed 1` takes some minutes on two cores. A fine-tuning
job runs meanwhile. At the end the books balance, every finished answer is paid for exactly as its
caller was told, the job for what it trained, nobody paid for a refusal, or more than was asked for,
and no hold is left.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from openhearth.platform.running import running as state_of
from tests.conftest import write_home, write_model
from tests.system.chaos.books import wrong
from tests.system.chaos.clients import Clients
from tests.system.chaos.tuning import Tuning
from tests.system.up import ONE_THREAD, Platform, running
from tests.waiting import until

PARTS = ("gateway", "gateway", "node", "worker", "broker")
SHORTEST, LONGEST = 0.3, 4.0  # seconds between two kills
SHOWN = 20  # faults


def kill(platform: Platform, chance: random.Random, kills: int) -> Counter[str]:
    """End parts of it, one after the other, back from the last time or not."""
    killed: Counter[str] = Counter()
    while killed.total() < kills:
        time.sleep(chance.uniform(SHORTEST, LONGEST))
        part, state = chance.choice(PARTS), state_of(platform.home)
        if state and (pid := state.processes[part]):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:  # it has died since
                continue
            killed[part] += 1
    return killed


def settle(platform: Platform) -> None:
    """Wait until everything is there again, and nothing is held any more."""
    headers = {"authorization": f"Bearer {platform.key}"}

    def is_settled() -> bool:
        try:
            found = httpx.get(f"{platform.url}/v1/billing/balance", headers=headers, timeout=60)
        except httpx.HTTPError:
            return False
        return found.status_code == 200 and found.json()["held_units"] == 0

    until(is_settled)


def chaos(home: Path, *, kills: int, requests: int, seed: int) -> None:
    """All of it. Raises AssertionError."""
    begun = time.monotonic()
    with running(home, **ONE_THREAD) as platform:
        clients = Clients(platform, seed)
        asking = threading.Thread(target=clients.run)
        tuning = threading.Thread(target=Tuning(platform).run, daemon=True)
        asking.start()
        tuning.start()
        try:
            killed = kill(platform, random.Random(seed), kills)
            until(lambda: clients.ends["finished"] >= requests)
        finally:
            clients.stop.set()
            asking.join()
        until(lambda: not tuning.is_alive())
        settle(platform)
    seen = clients.seen
    print(
        f"{len(seen)} requests in {time.monotonic() - begun:.0f} s: {dict(clients.ends)}; "
        f"killed: {dict(killed)}"
    )
    faults = wrong(home, seen)
    assert not faults, "\n".join(faults[:SHOWN])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--requests", type=int, default=2000, help="finished ones, at least")
    parser.add_argument("--seed", type=int, default=0)
    arguments = vars(parser.parse_args())
    with TemporaryDirectory() as place:
        model = Path(place) / "model"
        model.mkdir()
        chaos(write_home(Path(place) / "home", write_model(model)), **arguments)


if __name__ == "__main__":
    main()
