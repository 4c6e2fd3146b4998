"""A soak: random requests of clients of all manners to an engine with far too little memory.

`python -m tests.system.soak --requests 100000 --seed 1` takes half an hour on two cores. Answers of
a question must always be the same, every stream must end once, every page must be accounted for at
any time; and at the end nothing may be left: no request, no page in use, no thread, no file, and
no more memory than in the middle.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib.util
import itertools
import random
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from openhearth.inference import Engine, Sampling, executor
from openhearth.inference.beside import SLOW
from openhearth.inference.executor import PAGE
from openhearth.inference.lane import Lane
from openhearth.models import config_of, pull
from openhearth.store import Store
from tests.conftest import make_adapter, write_model
from tests.inference.accounts import check_pages
from tests.inference.hybrids import write_home
from tests.system.soak.clients import Clients
from tests.system.soak.over_http import ask, served
from tests.system.soak.questions import ADAPTERS, BASE, BROKEN, Question
from tests.system.soak.resources import Resources

CLIENTS = 16
RUNNING = 12  # sequences together
PAGES, SLOTS = 24, 15
ROUNDS = 10
QUESTIONS = 400  # few, so that soon all were answered, and answers remembered take no more memory
CHECKED = 200  # clients between two looks at the pages
ALONE = 100  # questions that are asked again at the end
STUCK = 3600  # seconds


def prepare(home: Path, *, hybrid: bool) -> Store:
    """A new model with adapters, of which one is so strong that its logits are no numbers."""
    if hybrid:
        write_home(home)
        store = Store(home)
        base = store.get("hybrid")
        store.tag(BASE, base.digest)
    else:
        store, directory = Store(home), home / "model"
        directory.mkdir()
        write_model(directory, head_dim=32)
        base = pull(store, str(directory), name=BASE)
    for seed, name in enumerate(ADAPTERS):
        make_adapter(store, base, name, seed=seed)
    make_adapter(store, base, BROKEN, factor=1e20)
    return store


def memory(store: Store, dtype: str) -> int:
    """Bytes for PAGES pages and, if the model has recurrent states, SLOTS of those."""
    from openhearth.inference.native.memory import kept_as, token_bytes  # of the build in use

    config = config_of(store.get(BASE))
    page = token_bytes(config, kept_as("auto", dtype)) * PAGE
    return PAGES * page + SLOTS * config.state_numbers * 4


def check(lane: Lane) -> None:
    """On the engine's thread, between two steps."""
    check_pages(lane._cache, [s.hold for s in lane._scheduler._running if s.hold])


def settle(engine: Engine, lane: Lane) -> Resources:
    """Wait until nobody is there any more; what is held then."""
    while not engine._loop.call(lambda: lane.idle):
        time.sleep(0.01)
    engine._loop.call(lambda: check(lane))
    assert lane._cache.available == lane._cache.count == PAGES
    return Resources.now()


def run_round(
    clients: Clients, engine: Engine, lane: Lane, numbers: Iterator[int], until: int
) -> None:
    """Clients come until so many requests have ended."""

    def come() -> None:
        while clients.record.requests < until:
            number = next(numbers)
            clients.come(number)
            if number % CHECKED == 0:
                engine._loop.call(lambda: check(lane))

    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(come) for _ in range(CLIENTS)]:
            done.result()


def warm_up(store: Store) -> None:
    """Once through a server, so that the threads are there that a process keeps for good."""
    every = threading.Barrier(SLOW._max_workers)
    list(SLOW.map(lambda _: every.wait(), range(SLOW._max_workers)))
    with Engine(BASE, store=store) as engine, served(engine, store.root) as (port, key):
        asked = Question(BASE, [5], Sampling(max_tokens=1))
        ask(port, key, asked, random.Random(0))


def soak(store: Store, *, requests: int, seed: int, dtype: str, growth: float) -> None:
    """All of it; `growth` is in MiB. Raises AssertionError."""
    models, settings = (BASE, *ADAPTERS, BROKEN), {"most_running": RUNNING, "dtype": dtype}
    executor.MOST_SLOTS = SLOTS
    warm_up(store)
    numbers, held, begin = itertools.count(), [Resources.now()], time.monotonic()
    with (
        Engine(*models, store=store, kv_memory=memory(store, dtype), **settings) as engine,
        served(engine, store.root) as server,
    ):
        lane = engine._served[BASE].lane
        clients = Clients(engine, server, pool=min(QUESTIONS, requests // 5), seed=seed)
        record = clients.record
        for number in range(1, ROUNDS + 1):
            faulthandler.dump_traceback_later(STUCK, exit=True)
            run_round(clients, engine, lane, numbers, requests * number // ROUNDS)
            held.append(settle(engine, lane))
            took = time.monotonic() - begin
            print(f"{took:7.1f} s, {record.requests} requests: {held[-1]}", flush=True)
        for key in record.known[:: max(1, len(record.known) // ALONE)]:
            clients.ask_alone(key)
        preemptions = lane._scheduler.preemptions
    faulthandler.cancel_dump_traceback_later()
    first, *rounds, last = *held, Resources.now()
    print(
        f"{record.requests / took:.1f} requests/s, {record.tokens / took:.0f} tokens/s, "
        f"{preemptions} preemptions, {dict(record.ends)}\nbefore: {first}\nafter: {last}"
    )
    assert preemptions > requests / 100
    assert (last.threads, last.files, last.requests) == (first.threads, first.files, 0)
    assert rounds[-1].memory - rounds[ROUNDS // 2].memory < growth * 2**20


def use(build: str) -> None:
    """Take the engine's native part from another file than the installed one."""
    spec = importlib.util.spec_from_file_location("openhearth._engine", build)
    assert spec
    assert spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--hybrid", action="store_true", help="a model with recurrent states")
    parser.add_argument("--growth", type=float, default=8, help="MiB of memory that may be added")
    parser.add_argument("--build", help="the file of another build of openhearth._engine")
    arguments: dict[str, Any] = vars(parser.parse_args())
    if build := arguments.pop("build"):
        use(build)
    hybrid = arguments.pop("hybrid")
    with TemporaryDirectory() as home:
        soak(prepare(Path(home), hybrid=hybrid), **arguments)


if __name__ == "__main__":
    main()
