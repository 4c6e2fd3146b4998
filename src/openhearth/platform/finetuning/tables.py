"""What fine-tuning jobs cost: a row from before a job's credits are held until it is paid."""

from __future__ import annotations

import sqlalchemy as sa

from openhearth.platform.database import metadata

charges = sa.Table(
    "fine_tune_charges",
    metadata,
    sa.Column("job", sa.String(64), primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("held", sa.BigInteger, nullable=False),  # units: what it may cost at most
    sa.Column("charged", sa.BigInteger),  # units; none as long as it is not settled
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("marked", sa.BigInteger, nullable=False),  # when the hold was last prolonged
    sa.Index(None, "charged"),
)
