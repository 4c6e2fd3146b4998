"""`GET /v3/whoami` and `GET /v1/projects`, which Together's command line asks before all else.

A key of a project has exactly these fields: with a `user` beside them its `whoami` fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from openhearth.platform.accounts import organisations
from openhearth.platform.accounts.routes.common import After, Asking, Limit

if TYPE_CHECKING:
    from openhearth.platform.accounts.accounts import Accounts


class KeyId(BaseModel):
    """The key that asks."""

    id: str


class Organisation(BaseModel):
    """The organisation that pays."""

    id: str
    name: str


class Project(BaseModel):
    """The project that the key belongs to."""

    id: str
    name: str
    slug: str


class Whoami(BaseModel):
    """Whose key that is."""

    type: Literal["project_api_key"] = "project_api_key"
    api_key: KeyId
    organization: Organisation
    project: Project


class ListedProject(Project):
    """A project, and whose it is."""

    organization_id: str
    organization_name: str


class ProjectPage(BaseModel):
    """Projects, and where the next page begins."""

    data: list[ListedProject]
    next_cursor: str | None


def router(accounts: Accounts) -> APIRouter:
    """The two routes."""
    routes = APIRouter()

    @routes.get("/v3/whoami")
    def whoami(caller: Asking) -> Whoami:
        with accounts.database.reading() as connection:
            name = organisations.name_of(connection, caller.organisation)
            project = organisations.project(connection, caller.organisation, caller.project)
        assert project is not None
        return Whoami(
            api_key=KeyId(id=caller.key),
            organization=Organisation(id=caller.organisation, name=name),
            project=Project(id=project.id, name=project.name, slug=project.slug),
        )

    @routes.get("/v1/projects")
    def list_projects(caller: Asking, after: After = None, limit: Limit = 100) -> ProjectPage:
        """The key's own project; with the scope `admin`, all of the organisation."""
        only = None if "admin" in caller.scopes else caller.project
        with accounts.database.reading() as connection:
            name = organisations.name_of(connection, caller.organisation)
            page = organisations.list_projects(
                connection, caller.organisation, only=only, after=after, limit=limit
            )
        data = [
            ListedProject(
                id=row["id"],
                name=row["name"],
                slug=row["slug"],
                organization_id=caller.organisation,
                organization_name=name,
            )
            for row in page.rows
        ]
        return ProjectPage(data=data, next_cursor=data[-1].id if page.more else None)

    return routes
