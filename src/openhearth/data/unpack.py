"""Packages of Debian, npm and PyPI as files on disk: those that are wanted, and never elsewhere.

What a package holds is untrusted: links and devices are passed over, a name leads nowhere but below
the folder, and what comes out is bounded.
"""

from __future__ import annotations

import fnmatch
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

import zstandard

from openhearth.data.sources.archives import Broken
from openhearth.errors import HearthError

MOST_BYTES = 4 << 30
AR_MAGIC, AR_HEADER = b"!<arch>\n", 60
Member = tuple[str, IO[bytes]]


def unpack(package: Path, pattern: str, folder: Path) -> int:
    """Write the files whose names match a glob below `folder`; return how many.

    Raises:
        HearthError: the package is none of these, is damaged, or holds too much.
    """
    count = size = 0
    try:
        for name, stream in _members(package):
            if not fnmatch.fnmatchcase(name, pattern):
                continue
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                while data := stream.read(1 << 20):
                    size += len(data)
                    if size > MOST_BYTES:
                        raise HearthError(
                            f"{package.name} holds more than {MOST_BYTES >> 30} GiB: too much."
                        )
                    file.write(data)
            count += 1
    except (*Broken, zstandard.ZstdError) as error:
        raise HearthError(
            f"{package.name} cannot be unpacked ({error}): fetch it again."
        ) from error
    return count


def _members(package: Path) -> Iterator[Member]:
    if package.suffix == ".deb":
        return _deb(package)
    return _zip(package) if package.suffix == ".whl" else _tar(package.open("rb"))


def _deb(package: Path) -> Iterator[Member]:
    """The files of a Debian package: an `ar` archive with them in `data.tar.*` (deb(5))."""
    with package.open("rb") as file:
        if file.read(len(AR_MAGIC)) != AR_MAGIC:
            raise ValueError("it does not begin as a Debian package does")
        while len(header := file.read(AR_HEADER)) == AR_HEADER:
            name, size = header[:16].decode().strip().rstrip("/"), int(header[48:58])
            if name.startswith("data.tar"):
                data: IO[bytes] = io.BytesIO(file.read(size))
                if name.endswith(".zst"):
                    data = io.BytesIO(zstandard.ZstdDecompressor().stream_reader(data).read())
                yield from _tar(data)
                return
            file.seek(size + size % 2, io.SEEK_CUR)
    raise ValueError("it has no data")


def _tar(file: IO[bytes]) -> Iterator[Member]:
    with file, tarfile.open(fileobj=file, mode="r|*") as archive:
        for member in archive:
            name = _safe(member.name)
            if member.isfile() and name and (stream := archive.extractfile(member)):
                yield name, stream


def _zip(package: Path) -> Iterator[Member]:
    with zipfile.ZipFile(package) as archive:
        for member in archive.infolist():
            name = _safe(member.filename)
            if name and not member.is_dir():
                with archive.open(member) as stream:
                    yield name, stream


def _safe(name: str) -> str | None:
    """A name below the folder, or None."""
    path = PurePosixPath(name)
    inside = not path.is_absolute() and ".." not in path.parts and "\0" not in name
    return path.as_posix() if inside and path.parts else None
