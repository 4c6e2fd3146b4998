"""The table of files. Rows of a project with the same content share one blob."""

from __future__ import annotations

import sqlalchemy as sa

from openhearth.platform.database import metadata

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # which alone counts up there

files = sa.Table(
    "files",
    metadata,
    sa.Column("number", NUMBER, primary_key=True),
    sa.Column("id", sa.String(64), nullable=False),
    sa.Column("organisation", sa.String(64), nullable=False),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("purpose", sa.String(32), nullable=False),
    sa.Column("filename", sa.String(255), nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),  # declared, as long as there is no blob
    sa.Column("lines", sa.BigInteger),  # of a file that was checked
    sa.Column("blob", sa.String(255)),  # where the content is; none as long as it is awaited
    sa.Column("ticket", sa.String(64)),  # SHA-256 of what allows to send the content
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("id"),
    sa.UniqueConstraint("ticket"),
    sa.Index(None, "project", "number"),
    sa.Index(None, "project", "sha256"),
)
