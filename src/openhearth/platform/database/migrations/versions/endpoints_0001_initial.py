"""Endpoints and their deployments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "endpoints_0001"
down_revision = None
branch_labels = ("endpoints",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "endpoints",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("visibility", sa.String(32), nullable=False),
        sa.Column("traffic_split", sa.JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_endpoints"),
        sa.UniqueConstraint("project", "name", name="uq_endpoints_project_name"),
    )
    op.create_table(
        "endpoint_deployments",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("autoscaling", sa.JSON, nullable=False),
        sa.Column("inactive_timeout", sa.Integer, nullable=False),
        sa.Column("max_concurrent", sa.String(16)),
        sa.Column("placement", sa.JSON),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_endpoint_deployments"),
        sa.ForeignKeyConstraint(
            ["endpoint"], ["endpoints.id"], name="fk_endpoint_deployments_endpoint"
        ),
        sa.UniqueConstraint("endpoint", "name", name="uq_endpoint_deployments_endpoint_name"),
    )
