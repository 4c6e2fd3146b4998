"""Files anywhere: any fsspec URL, a glob or a folder, opened as the bytes that were compressed.

What is read is untrusted: streams are bounded by their readers, links inside folders are not
followed, and a URL reaches a network only where the user gave one.
"""

from __future__ import annotations

import bz2
import hashlib
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

import fsspec
import pyarrow as pa
from isal import igzip  # three times as fast as gzip
from isal.igzip_lib import IsalError

from openhearth.errors import MissingTool, NotFound, UsageError

SKIPPED = {".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", "build", "dist"}
MOST_FILES = 1_000_000
ISAL_ERROR = cast(type[Exception], IsalError)  # its stub calls it an exception, not a class
Errors = (OSError, EOFError, zlib.error, ISAL_ERROR, lzma.LZMAError, ValueError)


def _zstd(stream: BinaryIO) -> BinaryIO:
    # Unlike the readers of zstandard, Arrow's says when a file is cut off.
    return cast(BinaryIO, pa.CompressedInputStream(stream, "zstd"))


COMPRESSIONS: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    ".gz": lambda stream: cast(BinaryIO, igzip.IGzipFile(fileobj=stream)),
    ".dz": lambda stream: cast(BinaryIO, igzip.IGzipFile(fileobj=stream)),  # of dictzip(1)
    ".zst": _zstd,
    ".bz2": lambda stream: cast(BinaryIO, bz2.BZ2File(stream)),
    ".xz": lambda stream: cast(BinaryIO, lzma.LZMAFile(stream)),  # noqa: SIM115
}


@dataclass(frozen=True)
class File:
    """One file: its URL, its name below the location, and what tells this version of it."""

    url: str
    name: str
    size: int
    stamp: str

    @property
    def compression(self) -> str:
        """The suffix of its compression; empty if it has none."""
        suffix = PurePosixPath(self.name).suffix.lower()
        return suffix if suffix in COMPRESSIONS else ""

    @property
    def plain_name(self) -> str:
        """The name without the suffix of a compression."""
        return self.name[: len(self.name) - len(self.compression)]

    @property
    def suffix(self) -> str:
        """What kind of file it is: `.jsonl` of `a.jsonl.gz`, in lower case."""
        return PurePosixPath(self.plain_name).suffix.lower()

    def open(self) -> BinaryIO:
        """The bytes, as they were before they were compressed."""
        stream = self.open_raw()
        return COMPRESSIONS[self.compression](stream) if self.compression else stream

    def open_raw(self) -> BinaryIO:
        """The bytes as they lie there; seekable."""
        filesystem, path = fsspec.core.url_to_fs(self.url)
        return cast(BinaryIO, filesystem.open(path, "rb"))


def list_files(location: str) -> list[File]:
    """The files that a location means: one, those below a folder, or those that match a glob.

    Raises:
        NotFound: there is nothing.
        UsageError: there is too much, or the URL cannot be understood.
        MissingTool: the file system needs a package that is not installed.
    """
    try:
        filesystem, root = fsspec.core.url_to_fs(location)
        if filesystem.isfile(root):
            found = {root: filesystem.info(root)}
        elif any(c in root for c in "*?["):
            found = filesystem.glob(root, detail=True)
        elif "file" in filesystem.protocol:
            found = dict(_walk(root))
        else:
            found = filesystem.find(root, detail=True)
    except ImportError as error:
        scheme = location.partition("://")[0]
        raise MissingTool(
            f"{scheme}:// cannot be read without a package that is not installed: {error}."
        ) from error
    except (ValueError, OSError) as error:
        raise UsageError(f"{location} cannot be read: {error}.") from error
    base = _folder(root, list(found))
    files = [
        _file(filesystem, path, path[len(base) :], info)
        for path, info in sorted(found.items())
        if info["type"] == "file" and not info.get("islink") and is_wanted(path[len(base) :])
    ]
    if not files and filesystem.exists(root):
        raise NotFound(f"{location} has no text: it holds no files.")
    if not files:
        raise NotFound(f"There is no file or folder {location}: check the path.")
    if len(files) > MOST_FILES:
        raise UsageError(f"{location} has more than {MOST_FILES} files: give a part of it.")
    return files


def _walk(root: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Local files below a folder; links are left out, wherever they lead."""
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED and not name.startswith(".")]
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                info = os.stat(path)
                yield path, {"type": "file", "size": info.st_size, "mtime": info.st_mtime_ns}


def fingerprint(files: list[File], kind: str | None) -> str:
    """What tells these versions of these files, read as one format if it is named, from others."""
    lines = [f"{file.name}\0{file.size}\0{file.stamp}\n" for file in files]
    whole = "".join([*lines, kind or ""])
    return hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()


def _folder(root: str, paths: list[str]) -> str:
    """The part of all paths that is the location's folder, with its slash."""
    fixed = root
    for wildcard in "*?[":
        fixed = fixed.partition(wildcard)[0]
    is_file = paths == [root]
    return fixed.rpartition("/")[0] + "/" if is_file or fixed != root else fixed.rstrip("/") + "/"


def is_wanted(name: str) -> bool:
    """Whether a file below a folder is one that a person put there to be read."""
    *folders, last = name.split("/")
    hidden = any(folder in SKIPPED or folder.startswith(".") for folder in folders)
    return not hidden and not last.startswith(".")


def _file(filesystem: Any, path: str, name: str, info: dict[str, Any]) -> File:
    stamp = info.get("mtime") or info.get("LastModified") or info.get("ETag") or info.get("created")
    url = path if "file" in filesystem.protocol else filesystem.unstrip_protocol(path)
    label = name.encode(errors="replace").decode()  # a name need not be Unicode; what we write is
    return File(url, label, int(info.get("size") or 0), str(stamp))
