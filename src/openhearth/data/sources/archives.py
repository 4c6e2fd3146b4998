"""Archives, `.zip` and `.tar` in any compression, as folders: each file in them by its own reader.

Names in an archive are labels only; nothing is ever unpacked to a disk. Links and devices are left
out, as in folders; archives in archives, and what is encrypted, are set aside. What bounds an
archive is what was read of it, never what a header says: `RATIO` times its own size, or `FLOOR`.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, BinaryIO, cast

from openhearth.data.schema import Block, Quarantine
from openhearth.data.sources import files, formats
from openhearth.data.sources.files import COMPRESSIONS, File

READS_BLOCKS = True
RATIO, FLOOR = 200, 1 << 30
IN_MEMORY = 64 << 20  # up to here a file can be read in any order, as Parquet needs
LARGEST_READ = 2 * IN_MEMORY  # bytes at once, whatever a header asks for
SHORT = {".tgz": ".gz", ".tbz2": ".bz2", ".txz": ".xz"}
Broken = (
    *files.Errors,
    tarfile.TarError,
    zipfile.BadZipFile,
    NotImplementedError,  # a compression that Python has not
    RuntimeError,
)


def read(file: File, quarantine: Quarantine) -> Iterator[Block]:
    """The blocks of all files in an archive."""
    yield from formats.read_group(_members(file, quarantine), quarantine)


def _members(file: File, quarantine: Quarantine) -> Iterator[tuple[File, str]]:
    """The files of known formats in it, and these; what is broken ends the archive there."""
    unpack = _zipped if file.suffix == ".zip" else _tarred
    budget = Budget(max(RATIO * file.size, FLOOR))
    try:
        with file.open_raw() as stream:
            for member in unpack(file, stream, budget, quarantine):
                name = formats.format_of(member)
                if name == "archive":
                    quarantine.add("an archive in an archive", member.name)
                elif name:
                    yield member, name
    except Broken as error:
        quarantine.add(f"cannot be read further ({error})", file.name)


@dataclass(frozen=True)
class Member(File):
    """A file in an archive."""

    opened: Callable[[], BinaryIO]

    def open_raw(self) -> BinaryIO:
        """Its bytes; seekable up to `IN_MEMORY`."""
        try:
            stream = self.opened()
        except Broken as error:
            raise OSError(type(error).__name__) from error  # its text would have names in it
        return io.BytesIO(stream.read(IN_MEMORY)) if self.size <= IN_MEMORY else stream


def _member(file: File, name: str, size: int, opened: Callable[[], BinaryIO]) -> Member:
    label = f"{file.name}/{name}".encode(errors="replace").decode()
    return Member(f"{file.url}/{name}", label, size, file.stamp, opened)


def _zipped(
    file: File, stream: BinaryIO, budget: Budget, quarantine: Quarantine
) -> Iterator[Member]:
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            budget.take(0)
            if info.flag_bits & 1:
                quarantine.add("encrypted", f"{file.name}/{info.filename}")
            elif not info.filename.endswith("/") and files.is_wanted(info.filename):
                opened = partial(_open_zipped, archive, info, budget)
                yield _member(file, info.filename, info.file_size, opened)


def _open_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> BinaryIO:
    return cast(BinaryIO, Bounded(archive.open(info), budget))


def _tarred(
    file: File, stream: BinaryIO, budget: Budget, quarantine: Quarantine
) -> Iterator[Member]:
    compression = SHORT.get(file.suffix) or file.compression
    plain = Bounded(COMPRESSIONS[compression](stream) if compression else stream, budget)
    with tarfile.TarFile(fileobj=plain) as archive:
        while (info := archive.next()) is not None:
            cast(Any, archive).members.clear()  # it would keep them all
            if not info.isreg() or not files.is_wanted(info.name):
                continue
            member = _member(file, info.name, info.size, partial(_open_tarred, archive, info))
            if info.issparse():  # its holes would cost nothing and give much
                quarantine.add("sparse", member.name)
            else:
                yield member
    if plain.last != bytes(tarfile.BLOCKSIZE):
        quarantine.add("cut off, or something else from here on", file.name, plain.tell())


def _open_tarred(archive: tarfile.TarFile, info: tarfile.TarInfo) -> BinaryIO:
    stream = archive.extractfile(info)
    assert stream  # it is a regular file
    return cast(BinaryIO, Bounded(stream, Budget(info.size)))


@dataclass
class Budget:
    """How many bytes may still be read of an archive."""

    left: int

    def take(self, size: int) -> None:
        """Read so many.

        Raises:
            OSError: there are not so many left.
        """
        self.left -= size
        if self.left < 0:
            raise OSError(f"it holds more than {RATIO} times its size")


class Bounded(io.RawIOBase):
    """A stream that goes forward only, for as long as there is budget. All errors are OSErrors."""

    def __init__(self, stream: IO[bytes], budget: Budget) -> None:
        self._stream = stream
        self._budget = budget
        self._position = 0
        self.last = b""  # what was read last

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, or those that are left."""
        if not 0 <= size <= LARGEST_READ:
            raise OSError(f"more than {LARGEST_READ >> 20} MiB would be read at once")
        try:
            self.last = self._stream.read(size)
        except Broken as error:
            raise OSError(str(error).partition(" for file ")[0]) from error
        self._budget.take(len(self.last))
        self._position += len(self.last)
        return self.last

    def readinto(self, buffer: Any) -> int:
        """The same into a buffer: how many bytes."""
        data = self.read(min(len(buffer), LARGEST_READ))
        buffer[: len(data)] = data
        return len(data)

    def tell(self) -> int:
        """How much was read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Read on to `offset`, or to the end."""
        if whence != io.SEEK_SET or offset < self._position:
            raise OSError("it can only be read forward")
        while self._position < offset and self.read(min(1 << 20, offset - self._position)):
            pass
        return self._position

    def readable(self) -> bool:
        """It is."""
        return True
