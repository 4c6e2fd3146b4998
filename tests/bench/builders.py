"""Measurements of a server that exists only as arithmetic, carried out as real ones are.

Requests wait in a queue before some workers; answers are words at an even pace. What is due when,
which seeds there are and what the disclosure says comes from the code that measures real servers.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from openhearth.bench import runs
from openhearth.bench.gate import canaries, questions
from openhearth.bench.load import Sent, Target
from openhearth.bench.measures import counter
from openhearth.bench.price import Hardware, Item, Service, Sheet
from openhearth.bench.recipe import Callers, Gate, Load, Objective, Poisson, Recipe
from openhearth.bench.records import Ask, Chunk, Failure, Record
from openhearth.bench.report.disclosure import Client, Disclosure, Entry
from openhearth.bench.report.figures import Measurement, figures
from openhearth.bench.session import BrokenOff, Session, Side

BEGAN = 1_750_000_000.0  # a Sunday in June 2025, 15:06 UTC
TOKENS, PACE_S = 24, 0.02  # of an answer
WORD = "word"  # a token of four bytes
RECIPE = Recipe(
    name="test-small",
    about="Made for tests.",
    workloads={"chat": 2, "structured": 1},
    load=Poisson(rate=2.0),
    objective=Objective(ttft_ms=600, tpot_ms=100),
)
SHORT = RECIPE.model_copy(update={"seconds": 20.0, "requests": 30, "name": "short"})
TINY = SHORT.model_copy(update={"seconds": 5.0, "requests": 12, "workloads": {"chat": 1.0}})
GATED = TINY.model_copy(update={"gate": Gate(prompts=4, samples=4, tasks=4)})
RENTED = Hardware(
    division="hardware",
    source="https://example.com/prices",
    date="2026-01-02",
    items=(Item(name="machine", per_hour=1.25),),
)
LISTED = Service(
    division="service", source="https://example.com/list", date="2026-01-02", input=0.2, output=0.6
)


@dataclass
class Server:
    """`workers` answer `TOKENS` tokens each; every so manieth request fails."""

    workers: int = 2
    slower: float = 1.0
    fails_every: int = 0
    answer: Callable[[Ask], str] = lambda ask: WORD * TOKENS
    breaks_off_after: int | None = None  # requests of a point


class Arithmetic(Session):
    """A session whose requests are answered by `Server`s, one a side, on a clock of its own."""

    servers: Sequence[Server] = (Server(),)
    clock = BEGAN

    def _send(self, target: Target, name: str, load: Load, asks: Sequence[Ask]) -> Sent:
        number = next(n for n, side in enumerate(self.sides) if side.target is target)
        server, closed = self.servers[number], isinstance(load, Callers)
        sent = _answered(server, asks, closed)
        began, self.clock = self.clock, self.clock + 600
        return Sent(sent, any(r.failure is Failure.BROKEN_OFF for r in sent), began)


def _answered(server: Server, asks: Sequence[Ask], closed: bool) -> list[Record]:
    free = [0.0] * (1 if closed else server.workers)
    made: dict[int, Record] = {}
    for place, ask in enumerate(asks):
        before = made.get(-1 if ask.after is None else ask.after)
        due = (before.ended or before.due) + ask.at if before else 0.0 if closed else ask.at
        begun = max(due, heapq.heappop(free)) + 0.1 * server.slower
        record = _record(server, ask, place, due, begun)
        heapq.heappush(free, record.ended or begun)
        made[ask.number] = record
    return list(made.values())


def _record(server: Server, ask: Ask, place: int, due: float, begun: float) -> Record:
    record = Record(ask.number, ask.workload, ask.route, ask.body, due, ask.check)
    limit = server.breaks_off_after
    if limit is not None and place >= limit:
        record.failure, record.detail = Failure.BROKEN_OFF, "not sent: interrupted"
        return record
    record.sent, record.began, record.status = due + 2e-4, begun, 200
    if server.fails_every and place % server.fails_every == server.fails_every - 1:
        record.failure, record.status, record.ended = Failure.RATE_LIMIT, 429, begun
        record.detail = "status 429; slow down"
        return record
    text, pace = server.answer(ask), PACE_S * server.slower
    pieces = [text[at : at + 4] for at in range(0, len(text), 4)]
    record.chunks = [Chunk(begun + n * pace, piece) for n, piece in enumerate(pieces)]
    if ask.hang_up is not None and ask.hang_up < len(pieces):
        record.chunks, record.hung_up = record.chunks[: ask.hang_up], True
    record.ended = record.chunks[-1].at
    record.finish, record.events = "stop", len(record.chunks)
    record.completion_tokens, record.prompt_tokens = len(record.chunks), 100
    return record


def session(
    recipe: Recipe,
    servers: Sequence[Server] = (Server(),),
    *,
    seed: int = 11,
    sheets: Sequence[Sheet | None] = (None,),
    share: tuple[int, int] = (1, 1),
    asked: Sequence[Ask] = (),
    **entry: Any,
) -> Arithmetic:
    """A session that has not begun. `entry` is what all sides say of themselves."""
    sides = [
        Side(
            Target(f"http://127.0.0.1:{number + 1}", "model"),
            Entry(**{"url": f"http://127.0.0.1:{number + 1}", "model": "model"} | entry,
                  prices=sheets[number % len(sheets)]),
        )
        for number in range(len(servers))
    ]  # fmt: skip
    made = Arithmetic(recipe, seed, sides, counter(None), canaries=canaries(asked), share=share)
    made.servers = servers
    return made


def measurement(
    made: Session,
    reference: Sequence[Record] = (),
    **told: Any,
) -> Measurement:
    """What a session came to."""
    disclosure = Disclosure(
        created=max(point.began for point in made.points) + 600,
        recipe=made.recipe,
        seed=made.seed,
        reference="http://127.0.0.1:9#model" if reference else None,
        entries=tuple(side.entry for side in made.sides),
        points=tuple(made.points),
        client=Client(machine="two cores", software={"openhearth": "0.1.0"}, processes=1),
    )
    return Measurement(
        disclosure.model_copy(update=told), made.records, list(reference), made.counter
    )


@cache
def figured(make: Callable[[], Measurement]) -> dict[str, Any]:
    """The figures of what one of the following makes."""
    return figures(make())


@cache
def a_run() -> Measurement:
    """A short load of two workloads."""
    made = session(SHORT, sheets=(RENTED,))
    made.point("ranked")
    return measurement(made)


@cache
def broken_off() -> Measurement:
    """A run that was interrupted in the middle."""
    made = session(SHORT, [Server(breaks_off_after=15)])
    with suppress(BrokenOff):
        made.point("ranked")
    return measurement(made)


@cache
def a_long_run() -> Measurement:
    """A load that is ranked."""
    made = session(RECIPE, sheets=(RENTED,))
    made.point("ranked")
    return measurement(made)


@cache
def a_sweep() -> Measurement:
    """A search for capacity, of short loads and with an objective that these can decide."""
    half = TINY.objective.model_copy(update={"share": 0.4})
    recipe = TINY.model_copy(update={"objective": half, "load": Poisson(rate=2.5)})
    made = session(recipe, sheets=(RENTED,), system="engine 1.0 on one machine")
    runs.sweep(made)
    return measurement(made)


@cache
def a_comparison() -> Measurement:
    """Two servers in three turns."""
    made = session(TINY, [Server(), Server(slower=1.3)], sheets=(RENTED, LISTED))
    runs.compare(made, 3)
    return measurement(made)


def a_monitor(count: int = 30, **entry: Any) -> Measurement:
    """A load every three hours; in some runs requests are refused."""
    made = session(TINY, [Server()], sheets=(LISTED,), **entry)
    for number in range(count):
        made.clock = BEGAN + 3 * 3600 * number
        bad = number in (7, 8)
        made.servers = [Server(20, slower=1 + number % 8 / 10, fails_every=3 if bad else 0)]
        made.point("monitor")
    return measurement(made)


@cache
def a_gated_run() -> Measurement:
    """A run with the gate, whose reference answers alike."""
    assert GATED.gate is not None
    asked = questions(GATED, GATED.gate, 11)
    made = session(GATED, sheets=(RENTED,), asked=asked)
    made.ask_alone(asked)
    made.point("ranked")
    return measurement(made, reference=_answered(Server(), asked, closed=True))
