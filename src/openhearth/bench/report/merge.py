"""One report of several machines' shares of a load: exact, since records are raw (rule 52)."""

from __future__ import annotations

from collections.abc import Sequence

from openhearth.bench.report.disclosure import Disclosure, Point
from openhearth.bench.report.figures import Measurement
from openhearth.errors import UsageError

TOGETHER_S = 1.0  # within which all machines begin


def merged(parts: Sequence[Measurement]) -> Measurement:
    """All shares of one load put together; where they came from is told of all machines. Of the
    reference's answers to a question that several have, one is kept.

    Raises:
        UsageError: they are not the shares of one load, or one is missing or there twice.
    """
    told = [part.disclosure for part in parts]
    if len({_of_one(one) for one in told}) > 1:
        raise UsageError("These are not shares of one load: recipe, seed and servers must agree.")
    points = [_joined(together) for together in zip(*(one.points for one in told), strict=True)]
    first = told[0]
    disclosure = first.model_copy(
        update={
            "points": tuple(points),
            "broken_off": any(one.broken_off for one in told),
            "created": max(one.created for one in told),
            "client": first.client.model_copy(
                update={
                    "machine": "; ".join(one.client.machine for one in told),
                    "place": "; ".join(one.client.place for one in told if one.client.place),
                    "processes": sum(one.client.processes for one in told),
                }
            ),
            "files": {},
            "signature": None,
        }
    )
    records = [record for part in parts for record in part.records]
    answers = {(one.point, one.number): one for part in parts for one in part.reference}
    return Measurement(disclosure, records, list(answers.values()), parts[0].counter)


def _of_one(told: Disclosure) -> tuple[object, ...]:
    """What all shares of a load have in common."""
    servers = tuple((entry.url, entry.model) for entry in told.entries)
    loads = tuple((p.role, p.load, p.longer, p.seed, p.share[1]) for p in told.points)
    return told.recipe.digest, told.seed, servers, loads


def _joined(points: Sequence[Point]) -> Point:
    shares = sorted(point.share for point in points)
    of = shares[0][1]
    if shares != [(number, of) for number in range(1, of + 1)]:
        here = ", ".join(str(number) for number, _ in shares)
        raise UsageError(
            f"Of {of} shares here is {here}: name the reports of all machines, each once."
        )
    begins = [point.began for point in points]
    apart = 0.0 if points[0].role == "gate" else max(begins) - min(begins)
    if apart > TOGETHER_S:
        raise UsageError(
            f"The shares began {apart:.3g} s apart, so they were not one load: run them again, all "
            "with one --begin, on machines whose clocks are right."
        )
    return points[0].model_copy(
        update={
            "share": (1, 1),
            "asks": sum(point.asks for point in points),
            "began": min(point.began for point in points),
            "interrupted": any(point.interrupted for point in points),
        }
    )
