"""Endpoints, and the deployments in them. A `version` counts a row's changes, and is its etag."""

from __future__ import annotations

import sqlalchemy as sa

from openhearth.platform.database import metadata

endpoints = sa.Table(
    "endpoints",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("visibility", sa.String(32), nullable=False),
    sa.Column("traffic_split", sa.JSON, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),  # UTC, seconds
    sa.Column("updated", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("project", "name"),
)

deployments = sa.Table(
    "endpoint_deployments",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("endpoint", sa.String(64), sa.ForeignKey("endpoints.id"), nullable=False),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("model", sa.String(256), nullable=False),
    sa.Column("autoscaling", sa.JSON, nullable=False),
    sa.Column("inactive_timeout", sa.Integer, nullable=False),  # minutes, 0 for never
    sa.Column("max_concurrent", sa.String(16)),
    sa.Column("placement", sa.JSON),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("updated", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("endpoint", "name"),
)
