"""API keys: shown once when made, kept only as SHA-256 in `keys.json`, readable by the owner alone.

A plain hash is enough because a key is 256 random bits: there is nothing to guess, so a slow or
salted hash would only slow every request down. Checking takes the same time for every wrong key.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from openhearth.errors import HearthError, UsageError
from openhearth.platform.caller import SCOPES, Caller, Limits
from openhearth.store import explain_disk_errors, write_atomically

OWN_KEY = "OPENHEARTH_API_KEY"  # a key that the user chose
# From `hearth up` to its gateway: the key of the first start, and that of commands on this machine.
FIRST_KEY, LOCAL_KEY = "OPENHEARTH_FIRST_KEY", "OPENHEARTH_LOCAL_KEY"
PREFIX = "oh-"
SHORTEST = 20  # characters of a key that its user chose
LOCAL = "local"  # the one project, of the one organisation, that such keys belong to


class KeyRecord(BaseModel):
    """What is kept of a key."""

    name: str
    sha256: str
    created: str


class KeyFile(BaseModel):
    """The contents of `keys.json`."""

    keys: list[KeyRecord] = []


class Keys:
    """The keys that may use this server."""

    def __init__(self, path: Path, records: list[KeyRecord]) -> None:
        self._path = path
        self._records = records

    @classmethod
    def open(cls, home: Path) -> Keys:
        """The keys kept under `home`; none yet if the file is missing.

        Raises:
            HearthError: the file is damaged.
        """
        path = home / "keys.json"
        return cls(path, _read(path))

    def first_start(self) -> str | None:
        """Make the first key and return it; None when there is a key already."""
        return None if self._records else self.create("first")

    def adopt_environment(self) -> None:
        """Accept the key in `OPENHEARTH_API_KEY`, if there is one, in place of the last such key.

        Raises:
            UsageError: it is too short to be safe.
        """
        key = os.environ.get(OWN_KEY)
        if key and not self.check(key):
            self.create("environment", key)

    def create(self, name: str, key: str | None = None) -> str:
        """Add `key`, or a new random one, and return it: nobody can read it later.

        A key that had this name stops working.

        Raises:
            UsageError: the given key is too short to be safe.
            HearthError: the file cannot be written.
        """
        key = fresh_key() if key is None else long_enough(key)
        record = KeyRecord(
            name=name,
            sha256=digest_of(key),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        with explain_disk_errors(self._path.parent), _locked(self._path):
            others = [r for r in _read(self._path) if r.name != name]
            self._records = [*others, record]
            # write_atomically makes the file with mode 0600.
            contents = KeyFile(keys=self._records).model_dump_json(indent=1)
            write_atomically(self._path, contents.encode())
        return key

    def is_slow_to_check(self, presented: str) -> bool:
        """Never: all keys are in memory."""
        return False

    def check(self, presented: str) -> Caller | None:
        """The caller whose key was presented, who may do everything; None if it is none of ours."""
        digest = digest_of(presented)
        found = None
        for record in self._records:
            if hmac.compare_digest(record.sha256, digest):
                found = record.name
        return Caller(found, LOCAL, LOCAL, None, "owner", SCOPES, Limits()) if found else None


def fresh_key() -> str:
    """A new key: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def long_enough(key: str) -> str:
    """The key that a user chose.

    Raises:
        UsageError: it is too short to be safe.
    """
    if len(key) < SHORTEST:
        raise UsageError(
            f"An API key of {len(key)} characters is easy to guess: give it {SHORTEST} or more."
        )
    return key


def digest_of(key: str) -> str:
    """What is kept of a key: SHA-256, in hexadecimal digits."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _read(path: Path) -> list[KeyRecord]:
    if not path.exists():
        return []
    try:
        return KeyFile.model_validate_json(path.read_bytes()).keys
    except ValidationError as error:
        raise HearthError(
            f"{path} is damaged, so no key can be checked: remove it, and the next start makes a "
            "new key."
        ) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time add a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
