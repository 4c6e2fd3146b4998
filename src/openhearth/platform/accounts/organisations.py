"""Organisations, the projects and members in them, and who may still be let in.

Each function looks at one organisation: what belongs to another is not there.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from openhearth.errors import UsageError
from openhearth.platform.accounts.pages import Page, page
from openhearth.platform.accounts.tables import (
    api_keys,
    memberships,
    now,
    organisations,
    projects,
    users,
)
from openhearth.platform.errors import bad_request
from openhearth.platform.ids import may_be_id, new_id


@dataclass(frozen=True)
class Project:
    """Where keys, files and jobs belong."""

    id: str
    organisation: str
    name: str
    slug: str
    created: int
    archived: int | None


@dataclass(frozen=True)
class Member:
    """A user, as an organisation sees it."""

    id: str
    email: str
    name: str
    role: str
    created: int  # when it joined


def found(connection: sa.Connection, name: str, owner: str) -> Project:
    """Begin an organisation, which belongs to a user, and its first project."""
    organisation = new_id("org")
    connection.execute(organisations.insert().values(id=organisation, name=name, created=now()))
    let_in(connection, organisation, owner, "owner")
    return create_project(connection, organisation, "Default")


def name_of(connection: sa.Connection, organisation: str) -> str:
    """What it is called."""
    query = sa.select(organisations.c.name).where(organisations.c.id == organisation)
    return connection.execute(query).scalar_one()


def create_project(connection: sa.Connection, organisation: str, name: str) -> Project:
    """A new project, with a slug of its own."""
    identifier = new_id("proj")
    project = Project(identifier, organisation, name, _slug(name, identifier), now(), None)
    connection.execute(projects.insert().values(vars(project)))
    return project


def check_room(connection: sa.Connection, organisation: str, most: int) -> None:
    """Raises:
    ApiError: 400, the organisation has as many projects as it may. Archived ones count, as what
        belongs to them stays.
    """
    # Locked, so that two cannot take the last place at once.
    mine = sa.select(organisations.c.id).where(organisations.c.id == organisation)
    connection.execute(mine.with_for_update()).one()
    count = sa.select(sa.func.count()).select_from(projects)
    had = connection.execute(count.where(projects.c.organisation == organisation)).scalar_one()
    if had >= most:
        raise bad_request(
            f"The organisation has {had} projects, archived ones included, and may have {most}: "
            "rename one that is not needed, or ask whoever runs this server for more.",
            "name",
            "too_many_projects",
        )


def first_project(connection: sa.Connection, organisation: str) -> str:
    """The oldest project that is not archived; a new one if there is none."""
    rows = list_projects(connection, organisation, limit=1).rows
    return rows[0]["id"] if rows else create_project(connection, organisation, "Default").id


def _slug(name: str, identifier: str) -> str:
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", letters)[:40].strip("-")
    return f"{words or 'project'}-{identifier[-6:]}"


def list_projects(
    connection: sa.Connection,
    organisation: str,
    *,
    only: str | None = None,
    archived: bool = False,
    after: str | None = None,
    limit: int = 100,
) -> Page:
    """A page of the organisation's projects, or of the one that `only` names."""
    query = sa.select(projects).where(projects.c.organisation == organisation)
    if only is not None:
        query = query.where(projects.c.id == only)
    if not archived:
        query = query.where(projects.c.archived.is_(None))
    return page(connection, query, (projects.c.created, projects.c.id), after, limit)


def project(connection: sa.Connection, organisation: str, identifier: str) -> Project | None:
    """The project with this id, if there is one here."""
    if not may_be_id(identifier):
        return None
    query = sa.select(projects).where(
        projects.c.organisation == organisation, projects.c.id == identifier
    )
    row = connection.execute(query).mappings().first()
    return Project(**row) if row else None


def change_project(
    connection: sa.Connection, organisation: str, identifier: str, **changes: Any
) -> Project | None:
    """Rename it, or archive it: then its keys stop working."""
    if project(connection, organisation, identifier) is not None:
        connection.execute(projects.update().where(projects.c.id == identifier).values(changes))
    return project(connection, organisation, identifier)


def let_in(connection: sa.Connection, organisation: str, user: str, role: str) -> None:
    """Make a user a member; nothing happens to one who is."""
    if member(connection, organisation, user) is None:
        connection.execute(
            memberships.insert().values(
                organisation=organisation, user=user, role=role, created=now()
            )
        )


def _members(organisation: str) -> sa.Select[Any]:
    return (
        sa.select(
            users.c.id, users.c.email, users.c.name, memberships.c.role, memberships.c.created
        )
        .select_from(users)
        .join(memberships, memberships.c.user == users.c.id)
        .where(memberships.c.organisation == organisation)
    )


def list_members(
    connection: sa.Connection, organisation: str, *, after: str | None = None, limit: int = 100
) -> Page:
    """A page of the organisation's members."""
    order = (memberships.c.created, users.c.id)
    return page(connection, _members(organisation), order, after, limit)


def member(connection: sa.Connection, organisation: str, user: str) -> Member | None:
    """The member with this user's id, if there is one."""
    if not may_be_id(user):
        return None
    row = connection.execute(_members(organisation).where(users.c.id == user)).mappings().first()
    return Member(**row) if row else None


def set_role(connection: sa.Connection, organisation: str, user: str, role: str) -> Member | None:
    """Give a member another role; its keys may do as much from now on.

    Raises:
        UsageError: nobody would own the organisation.
    """
    if member(connection, organisation, user) is None:
        return None
    if role != "owner":
        _keep_an_owner(connection, organisation, user)
    connection.execute(_membership(memberships.update(), organisation, user).values(role=role))
    return member(connection, organisation, user)


def expel(connection: sa.Connection, organisation: str, user: str) -> bool:
    """End a membership, and revoke its keys; whether there was one.

    Raises:
        UsageError: nobody would own the organisation.
    """
    if member(connection, organisation, user) is None:
        return False
    _keep_an_owner(connection, organisation, user)
    connection.execute(_membership(memberships.delete(), organisation, user))
    connection.execute(
        api_keys.update()
        .where(
            api_keys.c.organisation == organisation,
            api_keys.c.user == user,
            api_keys.c.revoked.is_(None),
        )
        .values(revoked=now())
    )
    return True


def _membership(statement: Any, organisation: str, user: str) -> Any:
    return statement.where(memberships.c.organisation == organisation, memberships.c.user == user)


def _keep_an_owner(connection: sa.Connection, organisation: str, leaving: str) -> None:
    # Locked, so that two owners cannot end each other's role at once.
    owners = connection.execute(
        sa.select(memberships.c.user)
        .where(memberships.c.organisation == organisation, memberships.c.role == "owner")
        .with_for_update()
    ).scalars()
    if set(owners) == {leaving}:
        raise UsageError("An organisation needs an owner: make another member one first.")
