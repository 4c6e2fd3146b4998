"""The books: accounts, transfers, holds, receipts and prices."""

import sqlalchemy as sa
from alembic import op

revision = "ledger_0001"
down_revision = None
branch_labels = ("ledger",)


def upgrade() -> None:
    op.create_table(
        "ledger_accounts",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("posted", sa.BigInteger, nullable=False),
        sa.Column("pending", sa.BigInteger, nullable=False),
        sa.Column("bounded", sa.Boolean, nullable=False),
        sa.CheckConstraint(
            "pending >= 0 AND (NOT bounded OR posted >= pending)",
            name=op.f("ck_ledger_accounts_covered"),
        ),
    )
    op.create_table(
        "ledger_transfers",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("debit", sa.String, nullable=False),
        sa.Column("credit", sa.String, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("request_id", sa.String),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_ledger_transfers_positive")),
    )
    op.create_table(
        "ledger_holds",
        sa.Column("request_id", sa.String, primary_key=True),
        sa.Column("organisation", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("counts", sa.JSON, nullable=False),
        sa.Column("price_version", sa.Integer, nullable=False),
        sa.Column("month", sa.String, nullable=False),
        sa.Column("instance", sa.String),
        sa.Column("expires", sa.BigInteger),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_ledger_holds_whole")),
    )
    op.create_index(
        "ix_ledger_holds_open",
        "ledger_holds",
        ["instance"],
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_table(
        "ledger_spending",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("month", sa.String, primary_key=True),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ledger_receipts",
        sa.Column("request_id", sa.String, primary_key=True),
        sa.Column("organisation", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("price_version", sa.Integer, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
    )
    op.create_index(
        op.f("ix_ledger_receipts_organisation_created"),
        "ledger_receipts",
        ["organisation", "created"],
    )
    op.create_table(
        "ledger_lines",
        sa.Column("request_id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("unit_price", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ledger_instances",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("beat", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ledger_price_versions",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("valid_from", sa.BigInteger, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("prices", sa.JSON, nullable=False),
    )
