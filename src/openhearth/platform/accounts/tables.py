"""Who there is: users, organisations, their projects, and the keys to them.

Ids are strings, times are seconds since 1970, in UTC. Nothing is ever deleted that others may name:
projects are archived and keys revoked.
"""

from __future__ import annotations

import time

import sqlalchemy as sa

from openhearth.platform.database import metadata

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("email", sa.String, nullable=False, unique=True),  # in small letters
    sa.Column("name", sa.String, nullable=False),
    sa.Column("password", sa.String),  # as `passwords` hashes it; none: no logging in
    sa.Column("created", sa.BigInteger, nullable=False),
)

organisations = sa.Table(
    "organisations",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)

projects = sa.Table(
    "projects",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("organisation", sa.String, nullable=False, index=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("slug", sa.String, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("archived", sa.BigInteger),
)

memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("organisation", sa.String, primary_key=True),
    sa.Column("user", sa.String, primary_key=True, index=True),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)

invites = sa.Table(
    "invites",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("organisation", sa.String, nullable=False, index=True),
    sa.Column("email", sa.String, nullable=False),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("sha256", sa.String, nullable=False, unique=True),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
    sa.Column("accepted", sa.BigInteger),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("organisation", sa.String, nullable=False, index=True),
    sa.Column("project", sa.String, nullable=False),
    sa.Column("user", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("sha256", sa.String, nullable=False, unique=True),
    sa.Column("hint", sa.String, nullable=False),  # by which its owner knows it again
    sa.Column("scopes", sa.JSON(none_as_null=True)),  # none: all that the role allows
    sa.Column("requests_per_minute", sa.BigInteger),
    sa.Column("tokens_per_minute", sa.BigInteger),
    sa.Column("spending_cap", sa.BigInteger),  # millionths of a cent
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger),
    sa.Column("used", sa.BigInteger),  # last, to the minute
    sa.Column("revoked", sa.BigInteger),
    # By another that was adopted by its name, and so revoked, but not for ever.
    sa.Column("replaced", sa.BigInteger),
)

TABLES = (users, organisations, projects, memberships, invites, api_keys)


def now() -> int:
    """The time, as the tables have it."""
    return int(time.time())
