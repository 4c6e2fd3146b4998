"""Files at any fsspec URL (a directory, `s3://…`, `memory://…`): each is there whole or not at all.

Every file is written under `tmp/` and moved to its name, so that a copy which broke off never looks
like the whole. What goes wrong there is told in a sentence, without the secrets of the URL.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from openhearth.errors import HearthError, MissingExtra, UsageError

CHUNK = 2**20  # bytes
PACKAGES = {"s3": ("s3fs", "s3"), "gcs": ("gcsfs", "gcs"), "azure": ("adlfs", "azure")}
ALIASES = {"s3a": "s3", "gs": "gcs", "az": "azure", "abfs": "azure", "abfss": "azure"}
TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")  # by kind of file system
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Found:
    """A file of a folder: bytes, seconds since 1970, and what is another when it is rewritten."""

    size: int
    written: float
    version: str


class Place:
    """The files at a URL, by names with `/` between their parts. May be used from any thread."""

    def __init__(self, url: str) -> None:
        """Raises `UsageError` or `HearthError` where nothing can be at such a URL."""
        self.url = shown(url)
        import fsspec  # a tenth of a second, which only this room's guests need

        try:
            with self._explained("opened"):
                self._files, self._root = fsspec.core.url_to_fs(url)
        except HearthError as error:
            raise _why(url, error) from error.__cause__
        protocol = self._files.protocol
        self.is_here = "file" in ([protocol] if isinstance(protocol, str) else protocol)

    def path(self, name: str) -> str:
        """Where a file is, or would be, in the words of its file system."""
        return f"{self._root}/{name}"

    # -- out ------------------------------------------------------------------------------------

    def read(self, name: str) -> bytes | None:
        """The bytes of a file, or None if there is none."""
        with self._explained("read"), contextlib.suppress(FileNotFoundError):
            return self._files.cat_file(self.path(name))
        return None

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a file, a chunk at a time."""
        with self._explained("read"), self._files.open(self.path(name), "rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def get(self, name: str, local: Path) -> bool:
        """Copy a file to this machine; whether there is one."""
        with self._explained("read"), contextlib.suppress(FileNotFoundError):
            self._files.get_file(self.path(name), str(local))
            return True
        return False

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        with self._explained("read"):
            self._files.invalidate_cache()  # others write there too
            return self._files.exists(self.path(name))

    def folder(self, name: str) -> dict[str, Found]:
        """The files of a folder, by their names in it; none if there is no folder."""
        return self._listed(name, self._files.ls)

    def below(self, name: str) -> dict[str, Found]:
        """The files of a folder and of those in it, by their last names."""
        return self._listed(name, lambda path, **how: self._files.find(path, **how).values())

    def _listed(self, name: str, look: Callable[..., Any]) -> dict[str, Found]:
        with self._explained("read"):
            self._files.invalidate_cache()
            while True:
                try:
                    entries = list(look(self.path(name), detail=True))
                    break
                except FileNotFoundError:  # the folder, or a file that went while we looked
                    if not self._files.exists(self.path(name)):
                        return {}
        files = (entry for entry in entries if entry["type"] == "file")
        return {entry["name"].rpartition("/")[2]: _found(entry) for entry in files}

    # -- in -------------------------------------------------------------------------------------

    def put(self, name: str, local: Path) -> None:
        """Copy a file of this machine there; when this returns it is there for good."""
        self._place(name, lambda path: self._files.put_file(str(local), path))

    def write(self, name: str, data: bytes) -> None:
        """The same with bytes."""
        self._place(name, lambda path: self._files.pipe_file(path, data))

    def drop(self, name: str) -> None:
        """Forget a file, which may be gone already."""
        with self._explained("written"), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self.path(name))

    def _place(self, name: str, write: Callable[[str], None]) -> None:
        target, temporary = self.path(name), self.path(f"tmp/{secrets.token_hex(8)}")
        with self._explained("written"):
            try:
                self._in_folder(temporary, lambda: write(temporary))
                if self.is_here:
                    with open(temporary, "rb+") as file:
                        os.fsync(file.fileno())
                self._in_folder(target, lambda: self._files.mv(temporary, target))
            except BaseException:
                with contextlib.suppress(Exception):
                    self._files.rm_file(temporary)
                raise

    def _in_folder(self, path: str, act: Callable[[], None]) -> None:
        """Make the folder only where that is needed: most file systems know none."""
        try:
            act()
        except FileNotFoundError:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            act()

    @contextlib.contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        """Say what a person can do: every file system has errors of its own."""
        try:
            yield
        except (FileNotFoundError, PermissionError) as error:
            raise HearthError(
                f"{self.url} cannot be {done} ({_reason(error)}): check that it exists, and that "
                "this process has the credentials and the right to do so."
            ) from error
        except Exception as error:
            full = isinstance(error, OSError) and error.errno in FULL
            if full and done == "read":
                raise  # it is the disk here, about which whoever asked knows more
            remedy = "make room there" if full else "check the address and the connection"
            raise HearthError(
                f"{self.url} cannot be {done} ({_reason(error)}): nothing is there by half; "
                f"{remedy}, and run the same again."
            ) from error


def shown(url: str) -> str:
    """A URL without a user's name and secret."""
    return re.sub(r"://[^/]*@", "://", url)


def _why(url: str, error: HearthError) -> HearthError:
    """Why nothing can be opened at a URL."""
    protocol = url.partition("://")[0].rpartition("::")[2]
    cause = error.__cause__
    if isinstance(cause, ImportError) and (needed := PACKAGES.get(ALIASES.get(protocol, protocol))):
        return MissingExtra(*needed)
    if isinstance(cause, ImportError):
        return HearthError(f"{shown(url)} needs another package: {cause}.")
    if isinstance(cause, ValueError):
        return UsageError(
            f"{shown(url)} is no address of files ({cause}): give a directory, or a URL such as "
            "file:///mnt/store or s3://bucket/store."
        )
    return error


def _found(entry: dict[str, Any]) -> Found:
    said = next((entry[name] for name in TIMES if entry.get(name)), time.time())
    if isinstance(said, str):
        said = datetime.fromisoformat(said)
    written = said.timestamp() if isinstance(said, datetime) else float(said)
    return Found(entry["size"] or 0, written, str(entry))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
