"""Responses that are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "responses_0001"
down_revision = None
branch_labels = ("responses",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "responses",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("previous", sa.String(64)),
        sa.Column("input", sa.JSON, nullable=False),
        sa.Column("reply", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_responses"),
    )
