"""Files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "files_0001"
down_revision = None
branch_labels = ("files",)
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("lines", sa.BigInteger),
        sa.Column("blob", sa.String(255)),
        sa.Column("ticket", sa.String(64)),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_files"),
        sa.UniqueConstraint("id", name="uq_files_id"),
        sa.UniqueConstraint("ticket", name="uq_files_ticket"),
    )
    op.create_index("ix_files_project_number", "files", ["project", "number"])
    op.create_index("ix_files_project_sha256", "files", ["project", "sha256"])
