"""The tables of jobs: what is to be done, what was said of it, and its numbers by step."""

from __future__ import annotations

import sqlalchemy as sa

from openhearth.platform.database import metadata

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # which alone counts up there

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("number", NUMBER, primary_key=True),  # the order of jobs, and of the queue
    sa.Column("id", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("organisation", sa.String(64), nullable=False),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("key", sa.String(64), nullable=False),
    sa.Column("idempotency_key", sa.String(256)),
    sa.Column("parent", sa.String(64)),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),  # the fence, which every lease raises
    sa.Column("deaths", sa.Integer, nullable=False),  # since the last progress
    sa.Column("max_attempts", sa.Integer, nullable=False),
    sa.Column("worker", sa.String(128)),
    # These three in seconds of the clock of leases.
    sa.Column("leased_until", sa.Double),
    sa.Column("taken", sa.Double),  # when it was leased last
    sa.Column("not_before", sa.Double),  # when it may go on that was handed back to wait
    sa.Column("checkpoint", sa.JSON(none_as_null=True)),
    sa.Column("result", sa.JSON(none_as_null=True)),
    sa.Column("error", sa.Text),
    sa.Column("events", sa.BigInteger, nullable=False),  # how many there are
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("started", sa.BigInteger),
    sa.Column("finished", sa.BigInteger),
    sa.UniqueConstraint("id"),
    sa.UniqueConstraint("project", "idempotency_key"),
    sa.Index(None, "state", "number"),
    sa.Index(None, "project", "number"),
    sa.Index(None, "project", "taken"),
)

job_events = sa.Table(
    "job_events",
    metadata,
    sa.Column("job", sa.String(64), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),  # 1, 2, 3, … of each job
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("level", sa.String(8), nullable=False),
    sa.Column("type", sa.String(64), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
)

job_metrics = sa.Table(
    "job_metrics",
    metadata,
    sa.Column("job", sa.String(64), primary_key=True),
    sa.Column("step", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("values", sa.JSON, nullable=False),
)
