"""The HTTP face of accounts.

Together's `whoami` and `projects`, OpenAI's administration of an organisation (`client.admin` in
its client) with the fields that it has no words for, and signing up and logging in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from openhearth.platform.accounts.routes import invites, keys, members, projects, signup, whoami

if TYPE_CHECKING:
    from openhearth.platform.accounts.accounts import Accounts


def router(accounts: Accounts) -> APIRouter:
    """All of these routes over the accounts."""
    routes = APIRouter()
    for part in (whoami, signup, projects, keys, members, invites):
        routes.include_router(part.router(accounts))
    return routes
