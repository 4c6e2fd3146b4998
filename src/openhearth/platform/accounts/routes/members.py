"""`/v1/organization/users`: OpenAI's routes over the members of an organisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from openhearth.platform.accounts import organisations
from openhearth.platform.accounts.routes.common import (
    After,
    Asking,
    Body,
    Deleted,
    Limit,
    Listing,
    unknown,
)
from openhearth.platform.caller import Role

if TYPE_CHECKING:
    from openhearth.platform.accounts.accounts import Accounts

PATH = "/v1/organization/users"


class MemberBody(Body):
    """What a member may do."""

    role: Role


class MemberReply(BaseModel):
    """A member."""

    id: str
    object: Literal["organization.user"] = "organization.user"
    email: str
    name: str
    role: str
    added_at: int


def reply(member: organisations.Member) -> MemberReply:
    """A member in the API's words."""
    return MemberReply(
        id=member.id,
        email=member.email,
        name=member.name,
        role=member.role,
        added_at=member.created,
    )


def router(accounts: Accounts) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    @routes.get(PATH)
    def list_users(caller: Asking, after: After = None, limit: Limit = 20) -> Listing[MemberReply]:
        with accounts.database.reading() as connection:
            page = organisations.list_members(
                connection, caller.organisation, after=after, limit=limit
            )
        found = [organisations.Member(**row) for row in page.rows]
        return Listing[MemberReply].of(
            [reply(one) for one in found], [one.id for one in found], page.more
        )

    @routes.get(f"{PATH}/{{user}}")
    def retrieve_user(caller: Asking, user: str) -> MemberReply:
        with accounts.database.reading() as connection:
            return _known(organisations.member(connection, caller.organisation, user), user)

    @routes.post(f"{PATH}/{{user}}")
    def change_user(caller: Asking, user: str, body: MemberBody) -> MemberReply:
        with accounts.changing() as connection:
            return _known(
                organisations.set_role(connection, caller.organisation, user, body.role), user
            )

    @routes.delete(f"{PATH}/{{user}}")
    def remove_user(caller: Asking, user: str) -> Deleted:
        """End a membership; the keys of the user in this organisation end with it."""
        with accounts.changing() as connection:
            if not organisations.expel(connection, caller.organisation, user):
                raise unknown("user", user)
        return Deleted(id=user, object="organization.user.deleted")

    def _known(member: organisations.Member | None, user: str) -> MemberReply:
        if member is None:
            raise unknown("user", user)
        return reply(member)

    return routes
