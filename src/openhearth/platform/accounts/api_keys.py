"""API keys: each is a user's, in a project, and may do what the user's role allows, or less."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from openhearth.platform.accounts.pages import Page, page
from openhearth.platform.accounts.tables import api_keys, memberships, now, projects, users
from openhearth.platform.caller import ALLOWED, Caller, Limits
from openhearth.platform.ids import may_be_id, new_id
from openhearth.platform.keys import digest_of, fresh_key

OF_ITS_USER = sa.and_(
    memberships.c.user == api_keys.c.user,
    memberships.c.organisation == api_keys.c.organisation,
)
WITH_ALL = api_keys.outerjoin(memberships, OF_ITS_USER).join(
    projects, projects.c.id == api_keys.c.project
)
# Neither it, nor its project, nor its user is gone.
WORKS = sa.and_(
    api_keys.c.revoked.is_(None), projects.c.archived.is_(None), memberships.c.user.is_not(None)
)


@dataclass(frozen=True)
class Key:
    """What may be shown of a key, and of the user that it belongs to."""

    id: str
    organisation: str
    project: str
    name: str
    hint: str
    scopes: frozenset[str]  # those that it has now, after the user's role
    limits: Limits
    created: int
    expires: int | None
    used: int | None
    user: str
    email: str
    user_name: str
    user_created: int
    role: str


def create(
    connection: sa.Connection,
    *,
    organisation: str,
    project: str,
    user: str,
    name: str,
    secret: str | None = None,
    scopes: Iterable[str] | None = None,
    limits: Limits | None = None,
    expires: int | None = None,
) -> tuple[Key, str]:
    """A key, new or `secret`, and the key itself, which nobody can read later.

    Without scopes it may do all that the user's role allows.
    """
    secret = fresh_key() if secret is None else secret
    identifier = new_id("key")
    connection.execute(
        api_keys.insert().values(
            id=identifier,
            organisation=organisation,
            project=project,
            user=user,
            name=name,
            **_secret(secret),
            scopes=None if scopes is None else sorted(scopes),
            created=now(),
            expires=expires,
            **vars(limits or Limits()),
        )
    )
    key = get(connection, organisation, identifier)
    assert key is not None
    return key, secret


def _keys(organisation: str, project: str | None) -> sa.Select[Any]:
    query = (
        sa.select(
            api_keys,
            users.c.email,
            users.c.name.label("user_name"),
            users.c.created.label("user_created"),
            memberships.c.role,
        )
        .select_from(api_keys)
        .join(users, users.c.id == api_keys.c.user)
        .join(memberships, OF_ITS_USER)
        .where(api_keys.c.organisation == organisation, api_keys.c.revoked.is_(None))
    )
    return query if project is None else query.where(api_keys.c.project == project)


def list_keys(
    connection: sa.Connection,
    organisation: str,
    project: str | None = None,
    *,
    after: str | None = None,
    limit: int = 100,
) -> Page:
    """A page of the keys that were not revoked; `key_of` makes a row a `Key`."""
    order = (api_keys.c.created, api_keys.c.id)
    return page(connection, _keys(organisation, project), order, after, limit)


def get(
    connection: sa.Connection, organisation: str, identifier: str, project: str | None = None
) -> Key | None:
    """The key with this id, if there is one here and it was not revoked."""
    if not may_be_id(identifier):
        return None
    query = _keys(organisation, project).where(api_keys.c.id == identifier)
    row = connection.execute(query).mappings().first()
    return key_of(row) if row else None


def change(
    connection: sa.Connection,
    organisation: str,
    identifier: str,
    project: str | None = None,
    **changes: Any,
) -> Key | None:
    """Give a key other scopes, limits, or another end."""
    if changes and get(connection, organisation, identifier, project) is not None:
        connection.execute(api_keys.update().where(api_keys.c.id == identifier).values(changes))
    return get(connection, organisation, identifier, project)


def revoke(
    connection: sa.Connection, organisation: str, identifier: str, project: str | None = None
) -> bool:
    """End a key for ever; whether there was one."""
    if get(connection, organisation, identifier, project) is None:
        return False
    connection.execute(api_keys.update().where(api_keys.c.id == identifier).values(revoked=now()))
    return True


def replaced(connection: sa.Connection, sha256: str) -> bool | None:
    """Whether the key with this digest has only been replaced, else it is as it is for ever; None
    if there never was one.
    """
    query = sa.select(api_keys.c.replaced).where(api_keys.c.sha256 == sha256)
    row = connection.execute(query).one_or_none()
    return None if row is None else row.replaced is not None


def replace(connection: sa.Connection, user: str, name: str) -> None:
    """Let the keys of a user that have this name work no more, until they are brought back."""
    working = api_keys.update().where(
        api_keys.c.user == user, api_keys.c.name == name, api_keys.c.revoked.is_(None)
    )
    connection.execute(working.values(revoked=now(), replaced=now()))


def renew(connection: sa.Connection, user: str, name: str, secret: str) -> bool:
    """Let a user's key of this name be another secret, and what it was before be none any more;
    whether there was one.
    """
    named = (api_keys.c.user == user) & (api_keys.c.name == name) & api_keys.c.revoked.is_(None)
    oldest = sa.select(api_keys.c.id).where(named).order_by(api_keys.c.created, api_keys.c.id)
    same = api_keys.update().where(api_keys.c.id == oldest.limit(1).scalar_subquery())
    return connection.execute(same.values(**_secret(secret))).rowcount == 1


def bring_back(connection: sa.Connection, sha256: str) -> None:
    """Let a key that was replaced work again."""
    same = api_keys.update().where(api_keys.c.sha256 == sha256)
    connection.execute(same.values(revoked=None, replaced=None))


def key_of(row: sa.RowMapping) -> Key:
    """A row as a key."""
    return Key(
        id=row["id"],
        organisation=row["organisation"],
        project=row["project"],
        name=row["name"],
        hint=row["hint"],
        scopes=_effective(row),
        limits=_limits(row),
        created=row["created"],
        expires=row["expires"],
        used=row["used"],
        user=row["user"],
        email=row["email"],
        user_name=row["user_name"],
        user_created=row["user_created"],
        role=row["role"],
    )


@dataclass(frozen=True)
class Found:
    """What the database says of a key that was presented."""

    caller: Caller
    sha256: str
    expires: int | None
    used: int | None


def find(connection: sa.Connection, sha256: str) -> Found | None:
    """The key with this digest, if it works."""
    return _found(connection, WORKS & (api_keys.c.sha256 == sha256))


def find_by_id(connection: sa.Connection, identifier: str) -> Found | None:
    """The key with this id, also if it works no more; of one who is gone, as of a member."""
    return _found(connection, api_keys.c.id == identifier)


def working(connection: sa.Connection, identifiers: Collection[str]) -> set[str]:
    """Those of the ids whose keys work now."""
    lasts = api_keys.c.expires.is_(None) | (api_keys.c.expires > now())
    query = sa.select(api_keys.c.id).select_from(WITH_ALL).where(WORKS, lasts)
    return set(connection.execute(query.where(api_keys.c.id.in_(identifiers))).scalars())


def _found(connection: sa.Connection, which: sa.ColumnElement[bool]) -> Found | None:
    role = sa.func.coalesce(memberships.c.role, "member").label("role")
    query = sa.select(api_keys, role).select_from(WITH_ALL).where(which)
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    caller = Caller(
        key=row["id"],
        project=row["project"],
        organisation=row["organisation"],
        user=row["user"],
        role=row["role"],
        scopes=_effective(row),
        limits=_limits(row),
    )
    return Found(caller, row["sha256"], row["expires"], row["used"])


def note_use(connection: sa.Connection, identifier: str) -> None:
    """Remember that a key was used just now."""
    connection.execute(api_keys.update().where(api_keys.c.id == identifier).values(used=now()))


def _secret(secret: str) -> dict[str, str]:
    """What is kept of a key itself."""
    return {"sha256": digest_of(secret), "hint": f"{secret[:5]}…{secret[-4:]}"}


def _effective(row: sa.RowMapping) -> frozenset[str]:
    allowed = ALLOWED[row["role"]]
    return allowed if row["scopes"] is None else allowed & frozenset(row["scopes"])


def _limits(row: sa.RowMapping) -> Limits:
    return Limits(row["requests_per_minute"], row["tokens_per_minute"], row["spending_cap"])
