"""Names for artifacts: one small file each, holding the digest that the name means now."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

from openhearth.errors import UsageError
from openhearth.store.disk import write_atomically

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*(:[a-z0-9][a-z0-9._-]*)?")
LONGEST = 128  # characters
SETTLED = 1.0  # seconds after which a folder's time of change is sure to change with it


def file_of(name: str) -> str:
    """The file name under which a name is kept: one level, so that `a` and `a/b` can both be.

    Raises:
        UsageError: the name is not lower-case words joined by `. _ - /`, then `:tag` or not.
    """
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise UsageError(
            f"{name!r} cannot name an artifact: use lower-case letters, digits and . _ - /, "
            "with an optional :tag."
        )
    return name.replace("/", "%2f")


def name_of(file: str) -> str | None:
    """The name that a file of names is for, if it is one's."""
    name = file.replace("%2f", "/")
    return name if NAME.fullmatch(name) and len(name) <= LONGEST else None


class Refs:
    """All names of a store."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = os.fspath(directory)  # which is looked at before every request

    def get(self, name: str) -> str | None:
        """The digest that `name` means, or None."""
        return _read(self._directory / file_of(name))

    def set(self, name: str, digest: str) -> None:
        """Let `name` mean `digest` from now on."""
        write_atomically(self._directory / file_of(name), digest.encode())

    def drop(self, name: str) -> None:
        """Forget `name`."""
        (self._directory / file_of(name)).unlink(missing_ok=True)

    def all(self) -> dict[str, str]:
        """Every name and the digest it means."""
        paths = {name: path for path in self._directory.iterdir() if (name := name_of(path.name))}
        digests = {name: _read(paths[name]) for name in sorted(paths)}
        return {name: digest for name, digest in digests.items() if digest is not None}

    def changed(self) -> int:
        """When a name was last given, changed or dropped, in nanoseconds."""
        return os.stat(self._path).st_mtime_ns

    def watched(self) -> None:
        """Somebody wants to know when names change."""


class Watch:
    """Names for somebody who wants to know when they change."""

    def __init__(self, refs: Refs) -> None:
        refs.watched()
        self._refs = refs
        self._read = 0  # when they were last changed, as far as they were read

    def news(self) -> dict[str, str] | None:
        """Every name and the digest it means; None if that is as it was the last time."""
        changed = self._refs.changed()
        if changed == self._read:
            return None
        names = self._refs.all()
        self._read = changed if time.time() - changed / 1e9 > SETTLED else 0
        return names


def _read(path: Path) -> str | None:
    with contextlib.suppress(FileNotFoundError):
        return path.read_text()
    return None
