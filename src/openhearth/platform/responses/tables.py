"""Responses that are kept. The input is a response's own; what was said before it is that of
`previous`, and so on.
"""

from __future__ import annotations

import sqlalchemy as sa

from openhearth.platform.database import metadata

responses = sa.Table(
    "responses",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),  # UTC, seconds
    sa.Column("previous", sa.String(64)),
    sa.Column("input", sa.JSON, nullable=False),  # items with ids
    sa.Column("reply", sa.JSON, nullable=False),  # a ResponseReply
)
