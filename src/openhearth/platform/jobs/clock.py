"""What time it is for leases: the same for all who share a database, and without jumps.

A PostgreSQL server is asked. SQLite is of one machine, where the time of day is read once and then
counted on, so that setting the clock ends no lease and prolongs none.
"""

from __future__ import annotations

import time

import sqlalchemy as sa

_BEGINNING = time.time() - time.monotonic()


def now(connection: sa.Connection) -> float:
    """Seconds."""
    if connection.dialect.name == "sqlite":
        return _BEGINNING + time.monotonic()
    seconds = sa.extract("epoch", sa.func.clock_timestamp())
    return float(connection.execute(sa.select(seconds)).scalar_one())
