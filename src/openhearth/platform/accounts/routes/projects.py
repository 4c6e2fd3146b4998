"""`/v1/organization/projects`: OpenAI's routes; an archived project's keys stop working."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from openhearth.platform.accounts import organisations
from openhearth.platform.accounts.routes.common import (
    After,
    Asking,
    Body,
    Limit,
    Listing,
    Name,
    unknown,
)
from openhearth.platform.accounts.tables import now
from openhearth.platform.errors import bad_request

if TYPE_CHECKING:
    from openhearth.platform.accounts.accounts import Accounts

PATH = "/v1/organization/projects"


class ProjectBody(Body):
    """What a project is called."""

    name: Name


class ProjectReply(BaseModel):
    """A project."""

    id: str
    object: Literal["organization.project"] = "organization.project"
    name: str
    slug: str
    created_at: int
    archived_at: int | None
    status: Literal["active", "archived"]


def reply(project: organisations.Project) -> ProjectReply:
    """A project in the API's words."""
    return ProjectReply(
        id=project.id,
        name=project.name,
        slug=project.slug,
        created_at=project.created,
        archived_at=project.archived,
        status="active" if project.archived is None else "archived",
    )


def router(accounts: Accounts) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    @routes.get(PATH)
    def list_projects(
        caller: Asking, after: After = None, limit: Limit = 20, include_archived: bool = False
    ) -> Listing[ProjectReply]:
        with accounts.database.reading() as connection:
            page = organisations.list_projects(
                connection, caller.organisation, archived=include_archived, after=after, limit=limit
            )
        found = [organisations.Project(**row) for row in page.rows]
        return Listing[ProjectReply].of(
            [reply(one) for one in found], [one.id for one in found], page.more
        )

    @routes.post(PATH)
    def create_project(caller: Asking, body: ProjectBody) -> ProjectReply:
        with accounts.changing() as connection:
            organisations.check_room(connection, caller.organisation, accounts.most_projects)
            return reply(organisations.create_project(connection, caller.organisation, body.name))

    @routes.get(f"{PATH}/{{project}}")
    def retrieve_project(caller: Asking, project: str) -> ProjectReply:
        with accounts.database.reading() as connection:
            found = organisations.project(connection, caller.organisation, project)
        if found is None:
            raise unknown("project", project)
        return reply(found)

    @routes.post(f"{PATH}/{{project}}")
    def rename_project(caller: Asking, project: str, body: ProjectBody) -> ProjectReply:
        return _change(caller.organisation, project, name=body.name)

    @routes.post(f"{PATH}/{{project}}/archive")
    def archive_project(caller: Asking, project: str) -> ProjectReply:
        if project == caller.project:
            raise bad_request(
                "This key belongs to that project, and would stop working: archive it by a key of "
                "another project.",
                "project_id",
            )
        return _change(caller.organisation, project, archived=now())

    def _change(organisation: str, project: str, **changes: str | int) -> ProjectReply:
        with accounts.changing() as connection:
            changed = organisations.change_project(connection, organisation, project, **changes)
        if changed is None:
            raise unknown("project", project)
        return reply(changed)

    return routes
