"""Names for artifacts: one small file each, holding the digest that the name means now."""

from __future__ import annotations

import re
from pathlib import Path

from openhearth.errors import UsageError
from openhearth.store.disk import write_atomically

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*(:[a-z0-9][a-z0-9._-]*)?")
LONGEST = 128  # characters


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


class Refs:
    """All names of a store."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, name: str) -> str | None:
        """The digest that `name` means, or None."""
        path = self._directory / file_of(name)
        return path.read_text() if path.is_file() else None

    def set(self, name: str, digest: str) -> None:
        """Let `name` mean `digest` from now on."""
        write_atomically(self._directory / file_of(name), digest.encode())

    def drop(self, name: str) -> None:
        """Forget `name`."""
        (self._directory / file_of(name)).unlink(missing_ok=True)

    def all(self) -> dict[str, str]:
        """Every name and the digest it means."""
        return {
            path.name.replace("%2f", "/"): path.read_text()
            for path in sorted(self._directory.iterdir())
            if not path.name.startswith(".")
        }
