"""What our gateway adds to a request, and how many it takes, against LiteLLM's proxy.

In front of each is a stub of an engine that answers at once, with sixteen tokens: for LiteLLM an
HTTP server, for ours a node on the bus. The stub that speaks HTTP is asked directly too; what that
takes, one request at a time, is taken off the latencies of both sides. All have one process for
HTTP, and all are asked by the same light clients, in turn, each of which asks again as soon as it
has its answer. Ours checks keys, counts against limits, holds what a request may cost before the
node has it, and has its receipt on the disk before the answer goes out; LiteLLM has a master key
and neither limits nor budgets, which need its database.

Figures are medians over the rounds, and the least and the most of them are printed. At the end our
books must balance, with one receipt for each answer. `--short` is for a look.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _gateways import KEY, hearth, litellm, stub
from _keep_alive import Load, clients
from _results import Row, write
from _running import Server
from _sides import Measure, side
from _stub_server import WORDS
from sqlalchemy import func, select

from openhearth.models import pull
from openhearth.platform.database import Database
from openhearth.platform.ledger import Ledger
from openhearth.platform.ledger.tables import holds, receipts
from openhearth.store import Store

MODEL = "smollm2-135m"
QUESTION = "Which of the planets has the most moons, and how many of them are there?"
CONNECTIONS = 1, 16, 64
SHARES = 0.5, 0.95, 0.99
GOAL = 3.0

Kind = tuple[bool, int]  # whether answers are streamed, and the number of connections
KINDS: list[Kind] = [(streamed, at_once) for streamed in (False, True) for at_once in CONNECTIONS]


def ask(model: str, *, streamed: bool) -> dict[str, Any]:
    """The one request."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": len(WORDS),
        "temperature": 0,
    }
    return body | {"stream": True, "stream_options": {"include_usage": True}} if streamed else body


class Comparison:
    """The stub and two gateways, and what each of them has done."""

    def __init__(self, measure: Measure, sides: dict[str, Server], seconds: float) -> None:
        self._measure = measure
        self._sides = sides
        self._seconds = seconds
        self.loads: dict[tuple[str, Kind], list[Load]] = {}
        self.answered = dict.fromkeys(sides, 0)

    def round(self, counts: bool) -> None:
        """Every kind of load, by every side in turn."""
        for kind in KINDS:
            for name, server in self._sides.items():
                load = self._load(name, server, kind)
                if counts:
                    self.loads.setdefault((name, kind), []).append(load)

    def _load(self, name: str, server: Server, kind: Kind) -> Load:
        streamed, at_once = kind
        before = server.cpu()
        load = self._measure(
            server.url, KEY, ask(server.model, streamed=streamed), at_once, self._seconds
        )
        self.answered[name] += len(load.whole)
        if load.failed or set(load.texts) != {"".join(WORDS)}:
            raise SystemExit(f"{name} has failed {load.failed} times, or said {load.texts}.")
        cores = (server.cpu() - before) / load.seconds
        print(
            f"  {name:8} {'streams' if streamed else 'answers':8} {at_once:2} connections: "
            f"{load.rate:7.1f}/s, first {1e3 * quantile(load.first, 0.5):7.2f} ms, whole "
            f"{1e3 * quantile(load.whole, 0.5):7.2f} (p99 {1e3 * quantile(load.whole, 0.99):7.2f}),"
            f" {load.failed} failed; cores: server {cores:.2f}, clients "
            f"{load.cpu / load.seconds:.2f}",
            flush=True,
        )
        return load

    def rows(self) -> list[Row]:
        """Latencies that were added, and rates."""
        rows = [
            self._added(kind, part, share)
            for kind in KINDS
            if kind[1] < CONNECTIONS[-1]
            for part in (("first", "whole") if kind[0] else ("whole",))
            for share in SHARES
        ]
        return rows + [self._rate(kind) for kind in KINDS if kind[1] > 1]

    def _added(self, kind: Kind, part: str, share: float) -> Row:
        streamed, at_once = kind
        alone = self.loads["stub", (streamed, 1)]
        taken = [quantile(getattr(load, part), 0.5) for load in alone]

        def added(name: str) -> list[float]:
            times = [quantile(getattr(load, part), share) for load in self.loads[name, kind]]
            return [1e3 * (time - base) for time, base in zip(times, taken, strict=True)]

        what = {"first": "first token", "whole": "whole stream" if streamed else "answer"}[part]
        work = f"added to {what}, {at_once} at once, p{100 * share:.0f}"
        return row(work, "ms", added("ours"), added("litellm"), less=True)

    def _rate(self, kind: Kind) -> Row:
        streamed, at_once = kind
        ours, peer = ([load.rate for load in self.loads[n, kind]] for n in ("ours", "litellm"))
        work = f"{'streams' if streamed else 'answers'}, {at_once} at once"
        return row(work, "/s", ours, peer, less=False)


def row(work: str, unit: str, ours: Sequence[float], peer: Sequence[float], *, less: bool) -> Row:
    """The medians, and on the terminal also how far the rounds lie apart."""
    spreads = (f"{min(some):.2f} to {max(some):.2f}" for some in (ours, peer))
    print(f"  {work}, {unit}: ours {next(spreads)}, LiteLLM {next(spreads)}")
    medians = statistics.median(ours), statistics.median(peer)
    return Row(work, unit, *medians, "LiteLLM's proxy", GOAL, less_is_better=less)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them is."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def check_books(home: str, answered: int) -> None:
    """Make sure that our books balance, and that each answer was charged once and nothing else."""
    with closing(Database.open(Path(home) / "platform.db")) as database:
        with closing(Ledger(database)) as ledger:
            assert asyncio.run(ledger.check_books()) == []
        with database.reading() as connection:
            charged = connection.execute(select(func.count(receipts.c.request_id))).scalar_one()
            costs = set(connection.execute(select(receipts.c.total).distinct()).scalars())
            states = set(connection.execute(select(holds.c.state).distinct()).scalars())
    assert charged == answered, f"{charged} receipts for {answered} answers"
    assert states == {"settled"}, states
    assert len(costs) == 1, costs  # they were all asked the same
    print(f"  {charged} answers, each charged {costs.pop()} units once; the books balance")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="short rounds, and few")
    seconds, rounds = (0.5, 1) if parser.parse_args().short else (3.0, 5)
    with TemporaryDirectory() as home:
        pull(Store(Path(home)), MODEL)
        measure = side(clients)
        with ExitStack() as servers:
            engine = servers.enter_context(stub(MODEL))
            sides = {
                "stub": engine,
                "ours": servers.enter_context(hearth(home, MODEL)),
                "litellm": servers.enter_context(litellm(engine, Path(home))),
            }
            both = Comparison(measure, sides, seconds)
            for number in range(rounds + 1):
                both.round(counts=number > 0)
        check_books(home, both.answered["ours"])
        write("gateway", both.rows())


if __name__ == "__main__":
    main()
