"""A file on its way in: on the disk under its own name, counted and hashed as it comes."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from openhearth.errors import UsageError
from openhearth.platform.errors import ApiError
from openhearth.platform.files.names import safe
from openhearth.store.disk import explain_disk_errors

CHUNK = 2**20  # bytes


class Incoming:
    """Its path, and what is known of its bytes so far."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.bytes = 0
        self._limit = limit
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of all bytes so far, in hexadecimal."""
        return self._hash.hexdigest()

    async def take(self, stream: AsyncIterator[bytes]) -> None:
        """Write a stream.

        Raises:
            ApiError: 413, there is more than is allowed.
        """
        with explain_disk_errors(self.path.parent), self.path.open("wb") as file:
            async for chunk in stream:
                self._add(file, chunk)

    def copy(self, source: BinaryIO) -> None:
        """Write what a file holds, as `take` does."""
        with explain_disk_errors(self.path.parent), self.path.open("wb") as file:
            while chunk := source.read(CHUNK):
                self._add(file, chunk)

    def match(self, sha256: str) -> None:
        """Raises:
        UsageError: it is another content than was announced.
        """
        if self.sha256 != sha256:
            raise UsageError(
                f"The content has the SHA-256 {self.sha256}, but {sha256} was announced: send it "
                "again."
            )

    def known(self) -> dict[str, Any]:
        """What a row says of the bytes."""
        return {"bytes": self.bytes, "sha256": self.sha256}

    def _add(self, file: BinaryIO, chunk: bytes) -> None:
        self.bytes += len(chunk)
        if self.bytes > self._limit:
            raise ApiError(413, f"The file is larger than {self._limit} bytes: split it.")
        self._hash.update(chunk)
        file.write(chunk)


@contextmanager
def incoming(name: str, limit: int) -> Iterator[Incoming]:
    """A place for a file of a name, which is gone when the block is left."""
    with TemporaryDirectory(prefix="openhearth-upload-") as directory:
        yield Incoming(Path(directory) / safe(name), limit)
