"""The rows behind endpoints and deployments, and what the API says of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from openhearth.platform.endpoints.placement import Placement, Wish
from openhearth.platform.endpoints.shapes import (
    Autoscaling,
    DeploymentReply,
    DeploymentStatus,
    DeploymentSummary,
    EndpointReply,
    State,
    TrafficShare,
)
from openhearth.platform.endpoints.tables import deployments
from openhearth.platform.errors import ApiError, bad_request
from openhearth.platform.ids import may_be_id, new_id

Row = Any
MESSAGES: Mapping[State, str] = {
    "DEPLOYMENT_STATE_PROVISIONING": "No replica answers yet.",
    "DEPLOYMENT_STATE_READY": "It answers.",
    "DEPLOYMENT_STATE_SCALING": "Some replicas answer, others are to come.",
    "DEPLOYMENT_STATE_STOPPED": "It has no replicas, and none is wanted.",
}


def find(connection: sa.Connection, table: sa.Table, project: str, **where: str) -> Row:
    """The row of a project.

    Raises:
        ApiError: 404, there is none.
    """
    kind = "deployment" if table is deployments else "endpoint"
    found = None
    if all(map(may_be_id, where.values())):
        query = table.select().where(table.c.project == project)
        for column, value in where.items():
            query = query.where(table.c[column] == value)
        found = connection.execute(query).first()
    if found is None:
        raise ApiError(404, f"There is no {kind} {where['id']!r} in this project.", param="id")
    return found


def insert(connection: sa.Connection, table: sa.Table, prefix: str, values: dict[str, Any]) -> str:
    """Add a row, and return its id.

    Raises:
        ApiError: 400, the name is taken.
    """
    made, now = new_id(prefix), int(time.time())
    row = values | {"id": made, "version": 1, "created": now, "updated": now}
    try:
        with connection.begin_nested():
            connection.execute(table.insert(), row)
    except IntegrityError as error:
        raise _taken(values["name"]) from error
    return made


def update(
    connection: sa.Connection, table: sa.Table, row: Row, etag: str | None, values: dict[str, Any]
) -> None:
    """Change a row.

    Raises:
        ApiError: 409, it is not the one that the caller has seen; 400, the new name is taken.
    """
    check(row, etag)
    stamp = {"version": row.version + 1, "updated": int(time.time())}
    try:
        with connection.begin_nested():
            connection.execute(table.update().where(table.c.id == row.id), values | stamp)
    except IntegrityError as error:
        raise _taken(values["name"]) from error


def check(row: Row, etag: str | None) -> None:
    """Raise a 409 if the caller has seen another version; asking again would not help."""
    if etag is not None and etag != str(row.version):
        message = f"{row.name} was changed meanwhile: read it again, and send its etag."
        error = ApiError(409, message, param="etag", code="etag_mismatch")
        error.headers["x-should-retry"] = "false"
        raise error


def _taken(name: str) -> ApiError:
    return bad_request(f"There is {name!r} already: choose another name.", "name")


def wishes(connection: sa.Connection) -> list[Wish]:
    """Those of all projects."""
    return [
        Wish(row.model, *_bounds(row), row.inactive_timeout)
        for row in connection.execute(deployments.select())
    ]


def _bounds(row: Row) -> tuple[int, int]:
    scaling = Autoscaling.model_validate(row.autoscaling)
    least = 1 if scaling.min_replicas is None else scaling.min_replicas
    return least, max(least, scaling.max_replicas or 0)


def state_of(row: Row, ready: int) -> State:
    """What is to be said of a deployment of which so many replicas answer."""
    least, most = _bounds(row)
    if most == 0 or (least == 0 and ready == 0):
        return "DEPLOYMENT_STATE_STOPPED"
    if ready >= least:
        return "DEPLOYMENT_STATE_READY"
    return "DEPLOYMENT_STATE_SCALING" if ready else "DEPLOYMENT_STATE_PROVISIONING"


def share_of(name: str, split: Sequence[Mapping[str, Any]]) -> float:
    """The part of an endpoint's traffic that is a deployment's."""
    weights = {entry["deploymentId"]: entry["weight"] for entry in split}
    total = sum(weights.values())
    return weights.get(name, 0.0) / total if total else 0.0


def endpoint_reply(connection: sa.Connection, row: Row, placement: Placement) -> EndpointReply:
    """An endpoint with its deployments."""
    mine = deployments.select().where(deployments.c.endpoint == row.id)
    rows = connection.execute(mine.order_by(deployments.c.created, deployments.c.id)).all()
    return EndpointReply(
        id=row.id,
        name=row.name,
        project_id=row.project,
        visibility=row.visibility,
        deployments=[_summary(one, row.traffic_split, placement) for one in rows],
        traffic_split=[TrafficShare.model_validate(entry) for entry in row.traffic_split],
        etag=str(row.version),
        created_at=_time(row.created),
        updated_at=_time(row.updated),
    )


def _summary(
    row: Row, split: Sequence[Mapping[str, Any]], placement: Placement
) -> DeploymentSummary:
    ready = placement.ready(row.model)
    return DeploymentSummary(
        id=row.id,
        name=row.name,
        model=row.model,
        model_id=row.model,
        state=state_of(row, ready),
        autoscaling=Autoscaling.model_validate(row.autoscaling),
        desired_replicas=_bounds(row)[0],
        ready_replicas=ready,
        estimated_effective_traffic_share=share_of(row.id, split),
        created_at=_time(row.created),
    )


def deployment_reply(row: Row, endpoint: Row, placement: Placement) -> DeploymentReply:
    """A deployment."""
    ready = placement.ready(row.model)
    state, least = state_of(row, ready), _bounds(row)[0]
    return DeploymentReply(
        id=row.id,
        name=row.name,
        endpoint_id=row.endpoint,
        project_id=row.project,
        model=row.model,
        model_id=row.model,
        model_revision_id="latest",
        autoscaling=Autoscaling.model_validate(row.autoscaling),
        inactive_timeout=row.inactive_timeout,
        max_concurrent_requests_per_replica=row.max_concurrent,
        placement=row.placement,
        desired_replicas=least,
        estimated_effective_traffic_share=share_of(row.id, endpoint.traffic_split),
        status=DeploymentStatus(
            state=state, message=MESSAGES[state], ready_replicas=ready, scheduled_replicas=least
        ),
        etag=str(row.version),
        created_at=_time(row.created),
        updated_at=_time(row.updated),
    )


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
