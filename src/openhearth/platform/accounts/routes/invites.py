"""`/v1/organization/invites`: OpenAI's routes.

No e-mail is sent: the reply to `POST` has the `token` with which the invited person signs up, and
it is for its maker to pass on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from openhearth.platform.accounts import users
from openhearth.platform.accounts.routes.common import (
    After,
    Asking,
    Body,
    Deleted,
    Email,
    Limit,
    Listing,
    unknown,
)
from openhearth.platform.accounts.tables import now
from openhearth.platform.caller import Role

if TYPE_CHECKING:
    from openhearth.platform.accounts.accounts import Accounts

PATH = "/v1/organization/invites"


class InviteBody(Body):
    """Who may come in, and as what."""

    email: Email
    role: Role


class InviteReply(BaseModel):
    """An invite; it is for all projects, so that `projects` names none."""

    id: str
    object: Literal["organization.invite"] = "organization.invite"
    email: str
    role: str
    status: Literal["pending", "accepted", "expired"]
    created_at: int
    expires_at: int
    accepted_at: int | None
    projects: list[str] = []


class NewInviteReply(InviteReply):
    """An invite with what accepts it, this once."""

    token: str


def _fields(invite: users.Invite) -> dict[str, Any]:
    status = "expired" if invite.expires <= now() else "pending"
    return {
        "id": invite.id,
        "email": invite.email,
        "role": invite.role,
        "status": status if invite.accepted is None else "accepted",
        "created_at": invite.created,
        "expires_at": invite.expires,
        "accepted_at": invite.accepted,
    }


def router(accounts: Accounts) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    @routes.get(PATH)
    def list_invites(
        caller: Asking, after: After = None, limit: Limit = 20
    ) -> Listing[InviteReply]:
        with accounts.database.reading() as connection:
            page = users.list_invites(connection, caller.organisation, after=after, limit=limit)
        found = [users.Invite(**row) for row in page.rows]
        replies = [InviteReply(**_fields(invite)) for invite in found]
        return Listing[InviteReply].of(replies, [invite.id for invite in found], page.more)

    @routes.post(PATH)
    def create_invite(caller: Asking, body: InviteBody) -> NewInviteReply:
        with accounts.changing() as connection:
            made, secret = users.invite(connection, caller.organisation, body.email, body.role)
        return NewInviteReply(**_fields(made), token=secret)

    @routes.get(f"{PATH}/{{invite}}")
    def retrieve_invite(caller: Asking, invite: str) -> InviteReply:
        with accounts.database.reading() as connection:
            found = users.invited(connection, caller.organisation, invite)
        if found is None:
            raise unknown("invite", invite)
        return InviteReply(**_fields(found))

    @routes.delete(f"{PATH}/{{invite}}")
    def delete_invite(caller: Asking, invite: str) -> Deleted:
        with accounts.changing() as connection:
            if not users.uninvite(connection, caller.organisation, invite):
                raise unknown("invite", invite)
        return Deleted(id=invite, object="organization.invite.deleted")

    return routes
