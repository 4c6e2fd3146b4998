"""What a session can do: one load, a search for capacity, two servers in turns, or days of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from openhearth.bench.measures import Capacity, PointMeasures, search
from openhearth.bench.recipe import Bursts, Load, Poisson
from openhearth.bench.session import ALONE, Session, wait_until
from openhearth.errors import UsageError


def rate_of(load: Load) -> float:
    """Requests a second.

    Raises:
        UsageError: these arrivals have no rate.
    """
    if isinstance(load, Poisson | Bursts):
        return load.rate
    raise UsageError("A search for capacity needs arrivals with a rate: poisson or bursts.")


def sweep(session: Session) -> Capacity[PointMeasures]:
    """Find the capacity from the recipe's rate on, then tell one caller's and twice its load
    (rules 15 and 19).

    Raises:
        UsageError: the recipe's arrivals have no rate.
        HearthError: what `search` raises.
        BrokenOff: by Ctrl-C.
    """
    load, first = session.recipe.load, rate_of(session.recipe.load)

    def at(rate: float) -> Load:
        return load.model_copy(update={"rate": rate})

    def run(rate: float, longer: int) -> PointMeasures:
        return session.point("search", load=at(rate), longer=longer)

    found = search(run, first)
    session.point("alone", load=ALONE)
    if found.rate:
        session.point("twice", load=at(2 * found.rate))
    return found


def replayed(rates: Sequence[float], points: Sequence[PointMeasures]) -> Capacity[PointMeasures]:
    """The capacity that a search found whose points are these, in their order (rule 53).

    Raises:
        UsageError: it is not how a search goes.
    """
    left = list(zip(rates, points, strict=True))

    def again(rate: float, longer: int) -> PointMeasures:
        if not left or abs(left[0][0] / rate - 1) > 1e-9:
            raise UsageError(f"The search has no point at {rate:.6g} requests a second there.")
        return left.pop(0)[1]

    found = search(again, rates[0])
    if left:
        raise UsageError(f"The search went on for {len(left)} points after it had ended.")
    return found


def compare(session: Session, turns: int) -> None:
    """All sides in turns, the first in another place each time.

    Raises:
        BrokenOff: by Ctrl-C.
    """
    sides = range(len(session.sides))
    for turn in range(turns):
        for step in sides:
            session.point("ranked", side=(turn + step) % len(session.sides))


def monitor(
    session: Session,
    every_s: float,
    until: float,
    kept: Callable[[], object],
    clock: Callable[[], float] = time.time,
) -> None:
    """The recipe's load now and again until a Unix time; `kept` is called after each (rule 51).

    Raises:
        BrokenOff: by Ctrl-C.
    """
    due = clock()
    while due < until:
        session.point("monitor")
        kept()
        due += every_s
        wait_until(min(due, until), clock)
