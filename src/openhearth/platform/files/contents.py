"""Where the bytes of files are: a directory of this machine, or any fsspec URL."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openhearth.store.disk import explain_disk_errors

CHUNK = 2**20  # bytes


class Contents:
    """Blobs by name. Each is written once, whole, and then only read and removed."""

    def __init__(self, url: str, cache: Path) -> None:
        import fsspec

        self._files, self._root = fsspec.core.url_to_fs(url)
        self._cache = cache

    @property
    def is_here(self) -> bool:
        """Whether blobs are files of this machine."""
        protocol = self._files.protocol
        return "file" in ([protocol] if isinstance(protocol, str) else protocol)

    def put(self, local: Path, name: str) -> None:
        """Copy a file there; when this returns it is there for good.

        Raises:
            HearthError: the disk is full or cannot be written.
        """
        target = self._path(name)
        with explain_disk_errors(Path(self._root)):
            self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
            # Beside its place first: a copy that broke off must not look like the whole.
            self._files.put_file(str(local), f"{target}.part")
            if self.is_here:
                with Path(f"{target}.part").open("rb+") as file:
                    os.fsync(file.fileno())
            self._files.mv(f"{target}.part", target)

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes, a chunk at a time."""
        with self._files.open(self._path(name), "rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def remove(self, name: str) -> None:
        """Forget a blob, which may be gone already."""
        if self._files.exists(self._path(name)):
            self._files.rm_file(self._path(name))

    def local(self, name: str) -> Path:
        """A blob as a file of this machine; of elsewhere, a copy that is kept."""
        if self.is_here:
            return Path(self._path(name))
        copy = self._cache / name
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=copy.parent)
            os.close(handle)
            self._files.get_file(self._path(name), temporary)
            os.replace(temporary, copy)
        return copy

    def _path(self, name: str) -> Any:
        return f"{self._root}/{name}"
