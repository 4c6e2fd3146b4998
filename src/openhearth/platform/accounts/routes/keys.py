"""API keys: `/v1/organization/projects/{project}/api_keys` as OpenAI has it, and the same for all
projects at once at `/v1/organization/api_keys`.

OpenAI makes keys of projects only for its service accounts; here `POST` to the list makes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from openhearth.platform.accounts import api_keys, organisations
from openhearth.platform.accounts.routes.common import (
    After,
    Asking,
    Body,
    Deleted,
    Limit,
    Listing,
    Name,
    Seconds,
    unknown,
)
from openhearth.platform.accounts.tables import now
from openhearth.platform.caller import Caller, Limits, ScopeName
from openhearth.platform.errors import bad_request

if TYPE_CHECKING:
    from openhearth.platform.accounts.accounts import Accounts

ALL = "/v1/organization/api_keys"
OF_PROJECT = "/v1/organization/projects/{project}/api_keys"
PerMinute = Annotated[int, Field(ge=1, le=10**12)]
Scopes = Annotated[list[ScopeName], Field(min_length=1)]


class KeyChanges(Body):
    """Limits and scopes of a key; null takes a limit away. `spending_cap` is in millionths of a
    cent.
    """

    scopes: Scopes | None = None
    requests_per_minute: PerMinute | None = None
    tokens_per_minute: PerMinute | None = None
    spending_cap: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    expires_in_seconds: Seconds | None = None


class KeyBody(KeyChanges):
    """A new key. Without scopes it may do all that the role of its user allows."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "laptop", "scopes": ["inference"]}]}
    )

    name: Name


class AnyKeyBody(KeyBody):
    """A new key of any project; else of the one that the asking key belongs to."""

    project_id: str | None = None


class KeyUser(BaseModel):
    """Whose key it is."""

    id: str
    email: str
    name: str
    role: str
    created_at: int


class KeyOwner(BaseModel):
    """Whose key it is; here always a user's."""

    type: Literal["user"] = "user"
    user: KeyUser


class KeyReply(BaseModel):
    """A key, without the key itself."""

    id: str
    object: Literal["organization.project.api_key"] = "organization.project.api_key"
    name: str
    redacted_value: str
    created_at: int
    last_used_at: int | None
    expires_at: int | None
    owner: KeyOwner
    owner_project_access: Literal["active"] = "active"
    project_id: str
    scopes: list[str]
    requests_per_minute: int | None
    tokens_per_minute: int | None
    spending_cap: int | None


class NewKeyReply(KeyReply):
    """A key with the key itself, this once."""

    value: str


def fields(key: api_keys.Key) -> dict[str, Any]:
    """The fields of a reply."""
    user = KeyUser(
        id=key.user, email=key.email, name=key.user_name, role=key.role, created_at=key.user_created
    )
    return {
        "id": key.id,
        "name": key.name,
        "redacted_value": key.hint,
        "created_at": key.created,
        "last_used_at": key.used,
        "expires_at": key.expires,
        "owner": KeyOwner(user=user),
        "project_id": key.project,
        "scopes": sorted(key.scopes),
        **vars(key.limits),
    }


def router(accounts: Accounts) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    @routes.get(ALL)
    def list_all_keys(caller: Asking, after: After = None, limit: Limit = 20) -> Listing[KeyReply]:
        return _list(caller, None, after, limit)

    @routes.post(ALL)
    def create_any_key(caller: Asking, body: AnyKeyBody) -> NewKeyReply:
        return _create(caller, body.project_id or caller.project, body)

    @routes.delete(f"{ALL}/{{key}}")
    def revoke_any_key(caller: Asking, key: str) -> Deleted:
        return _revoke(caller, None, key)

    @routes.get(OF_PROJECT)
    def list_keys(
        caller: Asking, project: str, after: After = None, limit: Limit = 20
    ) -> Listing[KeyReply]:
        return _list(caller, project, after, limit)

    @routes.post(OF_PROJECT)
    def create_key(caller: Asking, project: str, body: KeyBody) -> NewKeyReply:
        return _create(caller, project, body)

    @routes.get(f"{OF_PROJECT}/{{key}}")
    def retrieve_key(caller: Asking, project: str, key: str) -> KeyReply:
        with accounts.database.reading() as connection:
            found = api_keys.get(connection, caller.organisation, key, project)
        if found is None:
            raise unknown("API key", key)
        return KeyReply(**fields(found))

    @routes.post(f"{OF_PROJECT}/{{key}}")
    def change_key(caller: Asking, project: str, key: str, body: KeyChanges) -> KeyReply:
        changes = body.model_dump(exclude_unset=True, exclude={"expires_in_seconds"})
        if body.expires_in_seconds is not None:
            changes["expires"] = now() + body.expires_in_seconds
        with accounts.changing() as connection:
            changed = api_keys.change(connection, caller.organisation, key, project, **changes)
        if changed is None:
            raise unknown("API key", key)
        return KeyReply(**fields(changed))

    @routes.delete(f"{OF_PROJECT}/{{key}}")
    def revoke_key(caller: Asking, project: str, key: str) -> Deleted:
        return _revoke(caller, project, key)

    def _list(
        caller: Caller, project: str | None, after: str | None, limit: int
    ) -> Listing[KeyReply]:
        with accounts.database.reading() as connection:
            if project is not None:
                _project(connection, caller, project)
            page = api_keys.list_keys(
                connection, caller.organisation, project, after=after, limit=limit
            )
        found = [api_keys.key_of(row) for row in page.rows]
        replies = [KeyReply(**fields(key)) for key in found]
        return Listing[KeyReply].of(replies, [key.id for key in found], page.more)

    def _create(caller: Caller, project: str, body: KeyBody) -> NewKeyReply:
        with accounts.changing() as connection:
            if _project(connection, caller, project).archived is not None:
                raise bad_request(f"The project {project} is archived: name another.", "project_id")
            assert caller.user is not None
            key, secret = api_keys.create(
                connection,
                organisation=caller.organisation,
                project=project,
                user=caller.user,
                name=body.name,
                scopes=body.scopes,
                limits=Limits(body.requests_per_minute, body.tokens_per_minute, body.spending_cap),
                expires=now() + body.expires_in_seconds if body.expires_in_seconds else None,
            )
        return NewKeyReply(**fields(key), value=secret)

    def _revoke(caller: Caller, project: str | None, key: str) -> Deleted:
        with accounts.changing() as connection:
            revoked = api_keys.revoke(connection, caller.organisation, key, project)
        if not revoked:
            raise unknown("API key", key)
        return Deleted(id=key, object="organization.project.api_key.deleted")

    def _project(connection: Any, caller: Caller, project: str) -> organisations.Project:
        found = organisations.project(connection, caller.organisation, project)
        if found is None:
            raise unknown("project", project)
        return found

    return routes
