"""Jobs that wait for a time, and when each was taken last, by which projects take turns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "jobs_0002"
down_revision = "jobs_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("taken", sa.Double))
    op.add_column("jobs", sa.Column("not_before", sa.Double))
    op.execute("UPDATE jobs SET taken = started")
    op.create_index("ix_jobs_project_taken", "jobs", ["project", "taken"])
