"""What fine-tuning jobs cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "finetuning_0001"
down_revision = None
branch_labels = ("finetuning",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fine_tune_charges",
        sa.Column("job", sa.String(64), nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.Column("charged", sa.BigInteger),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("marked", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("job", name="pk_fine_tune_charges"),
    )
    op.create_index("ix_fine_tune_charges_charged", "fine_tune_charges", ["charged"])
