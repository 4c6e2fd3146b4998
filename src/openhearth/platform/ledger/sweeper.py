"""Ends the holds that a crash left: of processes that died, and of what ran out of time.

A process shows that it lives by a number in the database that it raises from time to time. It is
taken for dead when the number was the same at several looks in a row. No clock is compared with
another's, and none can jump; and while the database is away, nobody looks.
"""

from __future__ import annotations

import time
from collections.abc import Container, Mapping

from sqlalchemy import BigInteger, Connection, bindparam, delete, or_, select
from sqlalchemy.dialects.postgresql import insert

from openhearth.platform.database import Statement
from openhearth.platform.ledger import holds as life
from openhearth.platform.ledger.prices import Prices
from openhearth.platform.ledger.tables import holds, instances

LOOKS = 5  # in a row at which a number was the same as before, until its process counts as dead
MOST_AT_ONCE = 200  # holds of one operation, so that requests need not wait long

BEAT = Statement(
    insert(instances).on_conflict_do_update(
        index_elements=["id"], set_={"beat": instances.c.beat + 1}
    )
)
BEATS = Statement(select(instances))
LEAVE = Statement(delete(instances).where(instances.c.id == bindparam("instance")))

_gone = holds.c.instance.is_not(None) & holds.c.instance.not_in(select(instances.c.id))
_expired = holds.c.expires <= bindparam("now", type_=BigInteger)
_held = select(holds.c.request_id).where(holds.c.state == "held")
ABANDONED = Statement(_held.where(or_(_gone, _expired)).limit(MOST_AT_ONCE))
OWN = Statement(_held.where(holds.c.instance == bindparam("own")))


class Watch:
    """What was seen of the other processes."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}  # the number, and how often it was the same

    def dead(self, beats: Mapping[str, int]) -> set[str]:
        """Look once; those whose number has not changed for too long."""
        seen = {}
        for instance, beat in beats.items():
            last, same = self._seen.get(instance, (None, 0))
            seen[instance] = (beat, same + 1 if beat == last else 0)
        self._seen = seen
        return {instance for instance, (_, same) in seen.items() if same >= LOOKS}


def beat(connection: Connection, instance: str) -> None:
    """Show that a process lives."""
    BEAT.run(connection, id=instance, beat=1)


def leave(connection: Connection, instance: str) -> None:
    """Say that a process has ended: what it still holds is left over."""
    LEAVE.run(connection, instance=instance)


def beats(connection: Connection, own: str) -> dict[str, int]:
    """The numbers of the other processes."""
    return {row.id: row.beat for row in BEATS.run(connection) if row.id != own}


def sweep(connection: Connection, prices: Prices, own: str, under_way: Container[str]) -> int:
    """End some of the holds that are left over, and say how many; 0 when there is none.

    Left over is what has expired, what belongs to a process that has ended, and what belongs to
    this one (`own`) but not to a request that is under way.
    """
    abandoned = [row.request_id for row in ABANDONED.run(connection, now=int(time.time()))]
    mine = [row.request_id for row in OWN.run(connection, own=own)]
    left = [*abandoned, *(held for held in mine if held not in under_way)][:MOST_AT_ONCE]
    for request_id in left:
        life.sweep(connection, request_id, prices)
    return len(left)
