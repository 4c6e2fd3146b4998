"""Who may do what, from the database, with what was found kept in memory for a few seconds.

A key is found by its SHA-256: who guesses keys cannot choose how their digests begin, so that
neither an index nor a dictionary tells anything by its speed. Whatever this process changes, it
sees at once; what another changes, a revoked key for example, within `FRESH` seconds.
"""

from __future__ import annotations

import hmac
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from openhearth.errors import UsageError
from openhearth.platform.accounts import api_keys, organisations, passwords, users
from openhearth.platform.accounts import tables as t
from openhearth.platform.caller import Caller
from openhearth.platform.database import Database
from openhearth.platform.keys import OWN_KEY, digest_of, long_enough

FRESH = 5.0  # seconds that what was found is believed
USE_SECONDS = 60  # at most so often it is written down that a key was used
LOGGED_IN_SECONDS = 30 * 24 * 3600
MOST_PROJECTS = 100  # of an organisation
LOCAL_EMAIL = "local"  # no address, so that nobody can sign up with it
ENVIRONMENT = "environment"


class KeyRevoked(UsageError):
    """A key that was revoked is no key any more, whoever brings it."""


@dataclass(frozen=True)
class Home:
    """A user, in a project of an organisation."""

    user: users.User
    organisation: str
    project: str

    def key(
        self, connection: sa.Connection, name: str, **settings: Any
    ) -> tuple[api_keys.Key, str]:
        """A key of the user's to the project; settings are those of `api_keys.create`."""
        return api_keys.create(
            connection,
            organisation=self.organisation,
            project=self.project,
            user=self.user.id,
            name=name,
            **settings,
        )


@dataclass(frozen=True)
class Joined:
    """A user who came in, and a key, which nobody can read later."""

    home: Home
    key: api_keys.Key
    secret: str


@dataclass(frozen=True)
class _Known:
    found: api_keys.Found
    until: float


class Accounts:
    """The accounts in a database. Its methods may be called from any thread.

    `welcome` is called with each organisation that begins, in the transaction in which it does, and
    may give it something to begin with. An organisation may have `most_projects`.
    """

    def __init__(
        self,
        database: Database,
        welcome: Callable[[sa.Connection, str], None] = lambda connection, organisation: None,
        most_projects: int = MOST_PROJECTS,
    ) -> None:
        self.database = database
        self.most_projects = most_projects
        self._welcome = welcome
        self._known: dict[str, _Known] = {}
        self._changes = 0
        self._lock = threading.Lock()

    @contextmanager
    def changing(self) -> Iterator[sa.Connection]:
        """A transaction after which nothing that was known before it is believed."""
        with self.database.writing() as connection:
            yield connection
        with self._lock:
            self._changes += 1
            self._known.clear()

    def is_slow_to_check(self, presented: str) -> bool:
        """Whether the database has to be asked."""
        return self._remembered(digest_of(presented)) is None

    def check(self, presented: str) -> Caller | None:
        """Whose key that is; None if it is none of ours, or was revoked, or has expired."""
        digest = digest_of(presented)
        found = self._remembered(digest) or self._find(digest)
        if found is None or not hmac.compare_digest(found.sha256, digest):
            return None
        return None if found.expires is not None and found.expires <= t.now() else found.caller

    def caller_of(self, key: str) -> Caller | None:
        """Whose key has this id, also if it works no more; None if there never was one."""
        with self.database.reading() as connection:
            found = api_keys.find_by_id(connection, key)
        return found.caller if found else None

    def working(self, keys: Collection[str]) -> set[str]:
        """Those of the ids whose keys work now."""
        with self.database.reading() as connection:
            return api_keys.working(connection, keys)

    def _remembered(self, digest: str) -> api_keys.Found | None:
        known = self._known.get(digest)
        return known.found if known and known.until > time.monotonic() else None

    def _find(self, digest: str) -> api_keys.Found | None:
        changes = self._changes
        with self.database.reading() as connection:
            found = api_keys.find(connection, digest)
        if found is None:
            with self._lock:
                self._known.pop(digest, None)
            return None
        self._note_use(found)
        with self._lock:
            # What was revoked since it was read must not come back.
            if changes == self._changes:
                self._known[digest] = _Known(found, time.monotonic() + FRESH)
        return found

    def _note_use(self, found: api_keys.Found) -> None:
        if found.used is None or found.used + USE_SECONDS <= t.now():
            with self.database.writing() as connection:
                api_keys.note_use(connection, found.caller.key)

    def first_start(self, secret: str | None = None) -> str | None:
        """Make the owner of this machine, and a key, this one or a new one, which is returned; None
        if there was one.
        """
        with self.changing() as connection:
            owner = self.local(connection)
            one = sa.select(t.api_keys.c.id).where(t.api_keys.c.user == owner.user.id).limit(1)
            if connection.execute(one).first() is not None:
                return None
            return owner.key(connection, "first", secret=secret)[1]

    def adopt_environment(self) -> None:
        """Accept the key in `OPENHEARTH_API_KEY`, if there is one, in place of the last such key.
        Raises what `adopt` raises.
        """
        if secret := os.environ.get(OWN_KEY):
            self.adopt(ENVIRONMENT, secret)

    def adopt(self, name: str, secret: str) -> None:
        """Accept a key of the owner of this machine, in place of the last one that was adopted by
        this name.

        Raises:
            UsageError: it is too short to be safe.
            KeyRevoked: it was a key that works no more, and stays so.
        """
        if self.check(secret):
            return
        digest = digest_of(long_enough(secret))
        with self.changing() as connection:
            owner = self.local(connection)
            known = _replaced(connection, name, digest)
            api_keys.replace(connection, owner.user.id, name)
            if known:
                api_keys.bring_back(connection, digest)
            else:
                owner.key(connection, name, secret=secret)

    def renew(self, name: str, secret: str) -> None:
        """Let a key of the owner of this machine be this secret from now on, and not the last one.
        It keeps its id, so that what was begun with it goes on.

        Raises:
            KeyRevoked: it was a key that works no more.
        """
        if self.check(secret):
            return
        with self.changing() as connection:
            owner = self.local(connection)
            _replaced(connection, name, digest_of(secret))
            if not api_keys.renew(connection, owner.user.id, name, secret):
                owner.key(connection, name, secret=secret)

    def local(self, connection: sa.Connection) -> Home:
        """The owner of this machine, at home; made when first asked for."""
        made = users.create(connection, LOCAL_EMAIL, "Owner", None)
        if made is not None:
            return self._begin(connection, made, "Local")
        known = users.by_email(connection, LOCAL_EMAIL)
        assert known is not None
        return self._home(connection, known[0])

    def sign_up(
        self,
        email: str,
        password: str,
        name: str,
        *,
        organisation: str | None = None,
        invite: str | None = None,
    ) -> Joined | None:
        """A new user, with an organisation of its own or in the one that the invite is from, and a
        key. Who has signed up before comes in by an invite with the same password. None if the
        address is taken.

        Raises:
            UsageError: the invite is not for this address, or was used or has expired.
        """
        with self.database.reading() as connection:
            known = users.by_email(connection, email)
        user = users.by_password(known, password) if known and invite else None
        if known and not user:
            return None
        hashed = passwords.hashed(password)
        with self.changing() as connection:
            user = user or users.create(connection, email, name, hashed)
            if user is None:
                return None
            if invite is None:
                home = self._begin(connection, user, organisation or name)
            else:
                home = _home_in(connection, user, users.accept(connection, user, invite))
            return Joined(home, *home.key(connection, "first"))

    def log_in(self, email: str, password: str) -> Joined | None:
        """A key for a while, for who knows the password."""
        with self.database.reading() as connection:
            known = users.by_email(connection, email)
        user = users.by_password(known, password)
        if user is None:
            return None
        with self.changing() as connection:
            home = self._home(connection, user)
            return Joined(home, *home.key(connection, "login", expires=t.now() + LOGGED_IN_SECONDS))

    def _begin(self, connection: sa.Connection, user: users.User, name: str) -> Home:
        project = organisations.found(connection, name, user.id)
        self._welcome(connection, project.organisation)
        return Home(user, project.organisation, project.id)

    def _home(self, connection: sa.Connection, user: users.User) -> Home:
        organisation = users.first_organisation(connection, user.id)
        if organisation is None:  # it was expelled from all
            return self._begin(connection, user, user.name)
        return _home_in(connection, user, organisation)


def _replaced(connection: sa.Connection, name: str, digest: str) -> bool:
    """Whether a key that is brought was only replaced. Raises KeyRevoked if it ended otherwise."""
    if (known := api_keys.replaced(connection, digest)) is False:
        why = f"The key that is given as {name!r} was revoked or has expired, and stays so"
        raise KeyRevoked(f"{why}: give another.")
    return bool(known)


def _home_in(connection: sa.Connection, user: users.User, organisation: str) -> Home:
    return Home(user, organisation, organisations.first_project(connection, organisation))
