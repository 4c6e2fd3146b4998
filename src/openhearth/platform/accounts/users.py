"""Users: signing up, logging in, and invites by which they come into an organisation of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from openhearth.errors import UsageError
from openhearth.platform.accounts import passwords
from openhearth.platform.accounts.organisations import let_in
from openhearth.platform.accounts.pages import Page, page
from openhearth.platform.accounts.tables import (
    invites,
    memberships,
    now,
    users,
)
from openhearth.platform.ids import may_be_id, new_id
from openhearth.platform.keys import digest_of, fresh_key

INVITED_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class User:
    """A person who signed up, or the owner of this machine."""

    id: str
    email: str
    name: str
    created: int


@dataclass(frozen=True)
class Invite:
    """A user who may come in, once, until it expires."""

    id: str
    email: str
    role: str
    created: int
    expires: int
    accepted: int | None


def create(connection: sa.Connection, email: str, name: str, password: str | None) -> User | None:
    """A new user; `password` as `passwords.hashed` makes it. None if the address is taken."""
    user = User(new_id("user"), email, name, now())
    try:
        with connection.begin_nested():
            connection.execute(users.insert().values(**vars(user), password=password))
    except IntegrityError:
        return None
    return user


def by_email(connection: sa.Connection, email: str) -> tuple[User, str | None] | None:
    """The user with this address, and the hash of the password."""
    row = connection.execute(sa.select(users).where(users.c.email == email)).mappings().first()
    if row is None:
        return None
    return User(row["id"], row["email"], row["name"], row["created"]), row["password"]


def by_password(known: tuple[User, str | None] | None, password: str) -> User | None:
    """The user, if the password is right; that takes as long for a user who is not there."""
    right = passwords.matches(password, known[1] if known else None)
    return known[0] if known and right else None


def first_organisation(connection: sa.Connection, user: str) -> str | None:
    """The organisation that a user came into first."""
    query = (
        sa.select(memberships.c.organisation)
        .where(memberships.c.user == user)
        .order_by(memberships.c.created, memberships.c.organisation)
        .limit(1)
    )
    return connection.execute(query).scalar()


def accept(connection: sa.Connection, user: User, secret: str) -> str:
    """Let a user in by an invite; the organisation.

    Raises:
        UsageError: there is no such invite for this address, or it was used or has expired.
    """
    row = _open_invite(connection, user.email, secret)
    connection.execute(invites.update().where(invites.c.id == row["id"]).values(accepted=now()))
    let_in(connection, row["organisation"], user.id, row["role"])
    return row["organisation"]


def _open_invite(connection: sa.Connection, email: str, secret: str) -> sa.RowMapping:
    query = sa.select(invites).where(
        invites.c.sha256 == digest_of(secret),
        invites.c.email == email,
        invites.c.accepted.is_(None),
        invites.c.expires > now(),
    )
    row = connection.execute(query.with_for_update()).mappings().first()
    if row is None:
        raise UsageError(
            "There is no such invite for this e-mail address, or it was used or has expired: ask "
            "for a new one."
        )
    return row


def invite(
    connection: sa.Connection, organisation: str, email: str, role: str
) -> tuple[Invite, str]:
    """An invite, and the secret that accepts it, which nobody can read later."""
    secret = fresh_key()
    made = Invite(new_id("invite"), email, role, now(), now() + INVITED_SECONDS, None)
    connection.execute(
        invites.insert().values(**vars(made), organisation=organisation, sha256=digest_of(secret))
    )
    return made, secret


_INVITE = (
    invites.c.id,
    invites.c.email,
    invites.c.role,
    invites.c.created,
    invites.c.expires,
    invites.c.accepted,
)


def _invites(organisation: str) -> sa.Select[Any]:
    return sa.select(*_INVITE).where(invites.c.organisation == organisation)


def list_invites(
    connection: sa.Connection, organisation: str, *, after: str | None = None, limit: int = 100
) -> Page:
    """A page of the organisation's invites."""
    order = (invites.c.created, invites.c.id)
    return page(connection, _invites(organisation), order, after, limit)


def invited(connection: sa.Connection, organisation: str, identifier: str) -> Invite | None:
    """The invite with this id, if there is one here."""
    if not may_be_id(identifier):
        return None
    query = _invites(organisation).where(invites.c.id == identifier)
    row = connection.execute(query).mappings().first()
    return Invite(**row) if row else None


def uninvite(connection: sa.Connection, organisation: str, identifier: str) -> bool:
    """Take an invite back; whether there was one."""
    if invited(connection, organisation, identifier) is None:
        return False
    connection.execute(invites.delete().where(invites.c.id == identifier))
    return True
