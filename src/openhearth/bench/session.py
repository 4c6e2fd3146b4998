"""A measurement under way: points are carried out one after another, and everything is kept.

What `run`, `sweep`, `compare` and `monitor` share. Nothing is judged here but what the next point
depends on; all figures of a report are made from the records, as whoever checks them makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
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


class BrokenOff(Exception):  # it is no error: what came until then counts
    """The user has had enough."""


@dataclass(frozen=True)
class Side:
    """A server, and what is told of it."""

    target: Target
    entry: Entry


@dataclass
class Session:
    """Servers, a recipe, and what came so far. `canaries` are the gate's questions."""

    recipe: Recipe
    seed: int
    sides: Sequence[Side]
    counter: Counter
    canaries: Sequence[Ask] = ()
    processes: int = 1
    share: tuple[int, int] = (1, 1)  # which of how many machines this is
    progress: Progress = silent
    points: list[Point] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

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
        return measured(self.recipe, self.points[-1], self.last, self.counter)

    def ask_alone(self, questions: Sequence[Ask], side: int = 0) -> list[Record]:
        """This machine's share of the gate's questions, without any other load (rule 31).

        Raises:
            BrokenOff: by Ctrl-C; what came is kept.
        """
        mine = share(questions, self.share[0] - 1, self.share[1])
        self._carry_out("gate", side, ALONE, self.seed, mine)
        return self.last

    @property
    def last(self) -> list[Record]:
        """The records of the last point."""
        return [record for record in self.records if record.point == len(self.points) - 1]

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
        sent = self._send(target, f"{role} {number + 1}{_rate(load)}", load, asks)
        for record in sent.records:
            record.point = number
        self.records += sent.records
        self.points.append(
            Point(
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
        )
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


def _rate(load: Load) -> str:
    rate = getattr(load, "rate", None)
    return f", {rate:.3g}/s" if rate else ""


def _round_trip_ms(target: Target) -> float | None:
    """Now; None if there is no way to the server, which the records tell too (rule 30)."""
    try:
        return 1e3 * round_trip(target).median_s
    except HearthError:
        return None
