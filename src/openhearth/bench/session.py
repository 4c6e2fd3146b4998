"""A measurement under way: points are carried out one after another, and everything is kept.

What `run`, `sweep`, `compare` and `monitor` share. Nothing is judged here but what the next point
depends on. The figures of a point are made once, when it ends; whoever checks a report makes them
anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from openhearth.bench.load import Sent, Target, carry_out, round_trip, share
from openhearth.bench.measures import Counter, PointMeasures
from openhearth.bench.points import measured, planned, point_seed
from openhearth.bench.recipe import Callers, Load, Recipe
from openhearth.bench.records import Ask, Record
from openhearth.bench.report.disclosure import Entry, Point, Role
from openhearth.errors import HearthError
from openhearth.progress import Progress, silent

ALONE = Callers(arrivals="callers", callers=1)
LONGEST_PAUSE = 1.0  # seconds between looks at the clock


class BrokenOff(Exception):  # it is no error: what came until then counts
    """The user has had enough."""


@dataclass(frozen=True)
class Side:
    """A server, and what is told of it."""

    target: Target
    entry: Entry


@dataclass
class Session:
    """Servers, a recipe, and what came so far: `records` of all points, and of the `last` alone.
    `canaries` are the gate's questions.
    """

    recipe: Recipe
    seed: int
    sides: Sequence[Side]
    counter: Counter
    canaries: Sequence[Ask] = ()
    processes: int = 1
    share: tuple[int, int] = (1, 1)  # which of how many machines this is
    begin: float | None = None  # Unix time before which no load begins, the gate's aside
    progress: Progress = silent
    points: list[Point] = field(default_factory=list)
    measures: list[PointMeasures] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    last: list[Record] = field(default_factory=list)

    def point(
        self, role: Role, *, side: int = 0, load: Load | None = None, longer: int = 1
    ) -> PointMeasures:
        """One load of the recipe's mix against a side, and its figures.

        Raises:
            BrokenOff: by Ctrl-C; what came is kept.
            UsageError: the load cannot be.
        """
        load, seed = load or self.recipe.load, self._next_seed()
        whole = planned(self.recipe, load, longer, seed, self.counter, self.canaries)
        asks = share(whole, self.share[0] - 1, self.share[1])
        self._carry_out(role, side, load, seed, asks, longer)
        return self.measures[-1]

    def ask_alone(self, questions: Sequence[Ask], side: int = 0) -> list[Record]:
        """This machine's share of the gate's questions, without any other load (rule 31).

        Raises:
            BrokenOff: by Ctrl-C; what came is kept.
        """
        mine = share(questions, self.share[0] - 1, self.share[1])
        self._carry_out("gate", side, ALONE, self.seed, mine)
        return self.last

    def _next_seed(self) -> int:
        return point_seed(self.seed, len(self.points))

    def _carry_out(
        self,
        role: Role,
        side: int,
        load: Load,
        seed: int,
        asks: Sequence[Ask],
        longer: int = 1,
    ) -> None:
        target, number = self.sides[side].target, len(self.points)
        before = _round_trip_ms(target)
        if role != "gate" and self.begin is not None:
            wait_until(self.begin)
        sent = self._send(target, f"{role} {number + 1}{_rate(load)}", load, asks)
        for record in sent.records:
            record.point = number
        point = Point(
            role=role,
            entry=side,
            load=load,
            longer=longer,
            seed=seed,
            began=sent.began,
            asks=len(asks),
            share=self.share,
            interrupted=sent.interrupted,
            network_ms=(before, _round_trip_ms(target)),
        )
        self.last = sent.records
        self.records += sent.records
        self.points.append(point)
        self.measures.append(measured(self.recipe, point, sent.records, self.counter))
        if sent.interrupted:
            raise BrokenOff

    def _send(self, target: Target, name: str, load: Load, asks: Sequence[Ask]) -> Sent:
        return carry_out(
            target,
            asks,
            callers=load.callers if isinstance(load, Callers) else None,
            timeout_s=self.recipe.timeout_s,
            processes=self.processes,
            seen=lambda done: self.progress(name, done, len(asks), "requests"),
        )


def wait_until(moment: float, clock: Callable[[], float] = time.time) -> None:
    """Until a Unix time, by looking at the clock now and again, so that Ctrl-C is heard."""
    while (left := moment - clock()) > 0:
        time.sleep(min(left, LONGEST_PAUSE))


def _rate(load: Load) -> str:
    rate = getattr(load, "rate", None)
    return f", {rate:.3g}/s" if rate else ""


def _round_trip_ms(target: Target) -> float | None:
    """Now; None if there is no way to the server, which the records tell too (rule 30)."""
    try:
        return 1e3 * round_trip(target).median_s
    except HearthError:
        return None
