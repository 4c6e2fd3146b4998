"""A load shared out among processes or machines, and put together again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openhearth.bench.records import Ask, Record
from openhearth.errors import UsageError


@dataclass(frozen=True)
class Sent:
    """What became of a load. `began` is its begin in Unix time, by the clock of who sent."""

    records: list[Record]
    interrupted: bool
    began: float

    @property
    def lateness_s(self) -> list[float]:
        """How long after they were due requests were sent (rule 13)."""
        return [record.sent - record.due for record in self.records if record.sent is not None]


def roots(asks: Sequence[Ask]) -> dict[int, int]:
    """For each request by number, the first of its conversation.

    Raises:
        UsageError: two have one number, or one comes after what is not there, or after itself.
    """
    after = {ask.number: ask.after for ask in asks}
    if len(after) < len(asks):
        raise UsageError("Two requests have the same number: number them anew.")
    first: dict[int, int] = {}
    for number in after:
        path, place = [], number
        while place not in first and after[place] is not None:
            path.append(place)
            place = after[place]  # type: ignore[assignment]
            if place not in after or len(path) > len(after):
                raise UsageError(f"Request {path[-1]} comes after {place}, which is not there.")
        for one in [*path, place]:
            first[one] = first.get(place, place)
    return first


def share(asks: Sequence[Ask], k: int, n: int) -> list[Ask]:
    """The k-th of n shares, from 0 on: whole conversations, in turn by the times they are due.

    Raises:
        UsageError: there is no such share.
    """
    if not 0 <= k < n:
        raise UsageError(f"There is no share {k} of {n}: they are counted from 0.")
    root = roots(asks)
    begins = sorted((ask.at, ask.number) for ask in asks if ask.after is None)
    mine = {number for _, number in begins[k::n]}
    return [ask for ask in asks if root[ask.number] in mine]


def merge(parts: Sequence[Sent]) -> Sent:
    """The whole load from its shares; records keep the process that they name, or get one.

    Raises:
        UsageError: there are none, or two have a record of the same request.
    """
    records = sorted(
        (record for part in parts for record in part.records),
        key=lambda record: (record.point, record.number),
    )
    if not parts:
        raise UsageError("There is nothing to put together.")
    if len({(record.point, record.number) for record in records}) < len(records):
        raise UsageError("Two shares have the same request: give each machine its own k of n.")
    interrupted = any(part.interrupted for part in parts)
    return Sent(records, interrupted, min(part.began for part in parts))
