"""The routes of Together's endpoints and deployments, within a project."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest

from openhearth.platform.database import Database
from openhearth.platform.endpoints.kept import (
    check,
    deployment_reply,
    endpoint_reply,
    find,
    insert,
    update,
    wishes,
)
from openhearth.platform.endpoints.placement import Placement
from openhearth.platform.endpoints.shapes import (
    Autoscaling,
    DeploymentChange,
    DeploymentReply,
    EndpointChange,
    EndpointReply,
    Gone,
    NewDeployment,
    NewEndpoint,
)
from openhearth.platform.endpoints.tables import deployments, endpoints
from openhearth.platform.errors import ApiError, bad_request
from openhearth.platform.models import find_card, is_visible, not_served
from openhearth.platform.tenant import tenant_of
from openhearth.platform.wire import MOST_LISTED, Page, page

if TYPE_CHECKING:
    from openhearth.inference import Engine

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED)]
ROOT = "/v2/projects/{project_id}/endpoints"
ONE = ROOT + "/{endpoint_id}"
DEPLOYMENTS = ONE + "/deployments"
DEPLOYMENT = DEPLOYMENTS + "/{deployment_id}"


def own_project(project_id: str, http: HttpRequest) -> str:
    """The project in the path, which must be the caller's.

    Raises:
        ApiError: 404, it is not.
    """
    if project_id != tenant_of(http):
        raise ApiError(404, f"There is no project {project_id!r} for this key.", param="project_id")
    return project_id


Project = Annotated[str, Depends(own_project)]


def _autoscaling(asked: Autoscaling) -> dict[str, Any]:
    least, most = asked.min_replicas, asked.max_replicas
    if least is not None and most is not None and least > most:
        raise bad_request(f"minReplicas is {least}, but maxReplicas {most}.", "autoscaling")
    return asked.model_dump(mode="json", exclude_none=True, by_alias=True)


def router(engine: Engine, database: Database, placement: Placement) -> APIRouter:
    """The routes; `placement` hears of every change once it is kept."""
    routes = APIRouter(tags=["endpoints"])

    telling = asyncio.Lock()  # so that the placement hears of the last change last

    async def changed(change: Callable[[sa.Connection], T]) -> T:
        """What `change` makes in a transaction."""
        async with telling:
            made, wanted = await database.write(lambda c: (change(c), wishes(c)))
            placement.want(wanted)
            return made

    @routes.post(ROOT)
    async def create_endpoint(project: Project, body: NewEndpoint) -> EndpointReply:
        def create(connection: sa.Connection) -> EndpointReply:
            values = body.model_dump() | {"project": project, "traffic_split": []}
            made = insert(connection, endpoints, "ep", values)
            return endpoint_reply(
                connection, find(connection, endpoints, project, id=made), placement
            )

        return await database.write(create)

    @routes.get(ROOT)
    async def list_endpoints(
        project: Project, after: str | None = None, limit: Limit = 50
    ) -> Page[EndpointReply]:
        def listed(connection: sa.Connection) -> list[EndpointReply]:
            mine = endpoints.select().where(endpoints.c.project == project)
            rows = connection.execute(mine.order_by(endpoints.c.created, endpoints.c.id)).all()
            return [endpoint_reply(connection, row, placement) for row in rows]

        return page(await database.read(listed), lambda one: one.id, after, limit)

    @routes.get(ONE)
    async def retrieve_endpoint(project: Project, endpoint_id: str) -> EndpointReply:
        def get(connection: sa.Connection) -> EndpointReply:
            row = find(connection, endpoints, project, id=endpoint_id)
            return endpoint_reply(connection, row, placement)

        return await database.read(get)

    @routes.patch(ONE)
    async def update_endpoint(
        project: Project, endpoint_id: str, body: EndpointChange
    ) -> EndpointReply:
        def change(connection: sa.Connection) -> EndpointReply:
            row = find(connection, endpoints, project, id=endpoint_id)
            values = body.model_dump(exclude={"etag"}, exclude_none=True, by_alias=True)
            split = values.pop("trafficSplit", None)
            if split is not None:
                for share in split:
                    where = {"id": share["deploymentId"], "endpoint": endpoint_id}
                    find(connection, deployments, project, **where)
                values["traffic_split"] = split
            update(connection, endpoints, row, body.etag, values)
            row = find(connection, endpoints, project, id=endpoint_id)
            return endpoint_reply(connection, row, placement)

        return await database.write(change)

    @routes.delete(ONE)
    async def delete_endpoint(project: Project, endpoint_id: str, etag: str | None = None) -> Gone:
        def delete(connection: sa.Connection) -> Gone:
            row = find(connection, endpoints, project, id=endpoint_id)
            check(row, etag)
            within = deployments.select().where(deployments.c.endpoint == endpoint_id)
            if connection.execute(within).first():
                raise bad_request("The endpoint has deployments: delete these first.", "id")
            connection.execute(endpoints.delete().where(endpoints.c.id == endpoint_id))
            return Gone()

        return await database.write(delete)

    @routes.post(DEPLOYMENTS)
    async def create_deployment(
        project: Project,
        endpoint_id: str,
        body: NewDeployment,
        validate_only: Annotated[bool, Query(alias="validateOnly")] = False,
    ) -> DeploymentReply:
        values = _values(engine, body, project) | {"project": project, "endpoint": endpoint_id}

        def create(connection: sa.Connection) -> DeploymentReply:
            endpoint = find(connection, endpoints, project, id=endpoint_id)
            made = insert(connection, deployments, "dep", values)
            row = find(connection, deployments, project, id=made)
            if validate_only:
                connection.execute(deployments.delete().where(deployments.c.id == made))
            return deployment_reply(row, endpoint, placement)

        return await changed(create)

    @routes.get(DEPLOYMENTS)
    async def list_deployments(
        project: Project, endpoint_id: str, after: str | None = None, limit: Limit = 50
    ) -> Page[DeploymentReply]:
        def listed(connection: sa.Connection) -> list[DeploymentReply]:
            endpoint = find(connection, endpoints, project, id=endpoint_id)
            mine = deployments.select().where(deployments.c.endpoint == endpoint_id)
            rows = connection.execute(mine.order_by(deployments.c.created, deployments.c.id))
            return [deployment_reply(row, endpoint, placement) for row in rows]

        return page(await database.read(listed), lambda one: one.id, after, limit)

    @routes.get(DEPLOYMENT)
    async def retrieve_deployment(
        project: Project, endpoint_id: str, deployment_id: str
    ) -> DeploymentReply:
        def get(connection: sa.Connection) -> DeploymentReply:
            endpoint = find(connection, endpoints, project, id=endpoint_id)
            where = {"id": deployment_id, "endpoint": endpoint_id}
            return deployment_reply(
                find(connection, deployments, project, **where), endpoint, placement
            )

        return await database.read(get)

    @routes.patch(DEPLOYMENT)
    async def update_deployment(
        project: Project, endpoint_id: str, deployment_id: str, body: DeploymentChange
    ) -> DeploymentReply:
        where = {"id": deployment_id, "endpoint": endpoint_id}

        def change(connection: sa.Connection) -> DeploymentReply:
            endpoint = find(connection, endpoints, project, id=endpoint_id)
            row = find(connection, deployments, project, **where)
            asked = {
                "name": body.name,
                "inactive_timeout": body.inactive_timeout,
                "max_concurrent": body.max_concurrent_requests_per_replica,
                "autoscaling": body.autoscaling and _autoscaling(body.autoscaling),
            }
            values = {name: value for name, value in asked.items() if value is not None}
            update(connection, deployments, row, body.etag, values)
            row = find(connection, deployments, project, **where)
            return deployment_reply(row, endpoint, placement)

        return await changed(change)

    @routes.delete(DEPLOYMENT)
    async def delete_deployment(
        project: Project, endpoint_id: str, deployment_id: str, etag: str | None = None
    ) -> Gone:
        where = {"id": deployment_id, "endpoint": endpoint_id}

        def delete(connection: sa.Connection) -> Gone:
            endpoint = find(connection, endpoints, project, id=endpoint_id)
            row = find(connection, deployments, project, **where)
            check(row, etag)
            connection.execute(deployments.delete().where(deployments.c.id == deployment_id))
            split = [s for s in endpoint.traffic_split if s["deploymentId"] != deployment_id]
            if split != endpoint.traffic_split:
                update(connection, endpoints, endpoint, None, {"traffic_split": split})
            return Gone()

        return await changed(delete)

    return routes


def _values(engine: Engine, body: NewDeployment, project: str) -> dict[str, Any]:
    model = body.model or body.model_id
    if not model:
        raise bad_request("model is missing: name one of GET /v2/supported-models.", "model")
    if not is_visible(model, project) or find_card(engine, model) is None:
        raise not_served(model)
    return {
        "name": body.name,
        "model": model,
        "autoscaling": _autoscaling(body.autoscaling),
        "inactive_timeout": body.inactive_timeout,
        "max_concurrent": body.max_concurrent_requests_per_replica,
        "placement": body.placement,
    }
