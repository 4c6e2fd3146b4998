"""The tables of the books. Amounts are in units (see `money`), times in seconds of UTC.

What must hold at any time is said here too, so that no code can break it: a bounded account never
goes below what is held of it, a request is charged by one transfer at most, and so is each grant.
"""

from __future__ import annotations

import sqlalchemy as sa

from openhearth.platform.database import metadata

accounts = sa.Table(
    "ledger_accounts",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("posted", sa.BigInteger, nullable=False),  # what came in less what went out
    sa.Column("pending", sa.BigInteger, nullable=False),  # what holds have set apart of it
    sa.Column("bounded", sa.Boolean, nullable=False),
    sa.CheckConstraint("pending >= 0 AND (NOT bounded OR posted >= pending)", name="covered"),
)

transfers = sa.Table(
    "ledger_transfers",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("debit", sa.String, nullable=False),
    sa.Column("credit", sa.String, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("request_id", sa.String),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.CheckConstraint("amount > 0", name="positive"),
)

holds = sa.Table(
    "ledger_holds",
    metadata,
    sa.Column("request_id", sa.String, primary_key=True),
    sa.Column("organisation", sa.String, nullable=False),
    sa.Column("project", sa.String, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("model", sa.String, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String, nullable=False),  # held | settled | released | swept
    sa.Column("counts", sa.JSON, nullable=False),  # what was delivered so far, at least
    sa.Column("price_version", sa.Integer, nullable=False),
    sa.Column("month", sa.String, nullable=False),  # YYYY-MM
    # Who carries the request out, or until when it may be carried out by anybody.
    sa.Column("instance", sa.String),
    sa.Column("expires", sa.BigInteger),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.CheckConstraint("amount >= 0", name="whole"),
)
sa.Index(
    "ix_ledger_holds_open",
    holds.c.instance,
    sqlite_where=holds.c.state == "held",
    postgresql_where=holds.c.state == "held",
)

# What each key has spent and holds in a month, which its cap bounds.
spending = sa.Table(
    "ledger_spending",
    metadata,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("month", sa.String, primary_key=True),
    sa.Column("spent", sa.BigInteger, nullable=False),
    sa.Column("held", sa.BigInteger, nullable=False),
)

receipts = sa.Table(
    "ledger_receipts",
    metadata,
    sa.Column("request_id", sa.String, primary_key=True),
    sa.Column("organisation", sa.String, nullable=False),
    sa.Column("project", sa.String, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("model", sa.String, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("price_version", sa.Integer, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Index(None, "organisation", "created"),
)

lines = sa.Table(
    "ledger_lines",
    metadata,
    sa.Column("request_id", sa.String, primary_key=True),
    sa.Column("kind", sa.String, primary_key=True),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("unit_price", sa.BigInteger, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
)

# Processes that hold, and a number that grows as long as they live.
instances = sa.Table(
    "ledger_instances",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("beat", sa.BigInteger, nullable=False),
)

price_versions = sa.Table(
    "ledger_price_versions",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("valid_from", sa.BigInteger, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("prices", sa.JSON, nullable=False),  # {model or *: {kind: units a token}}
)
