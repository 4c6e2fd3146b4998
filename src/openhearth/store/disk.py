"""What the store asks of the disk: a place, whole files, locks, and errors that say what to do."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from openhearth.errors import HearthError


def home() -> Path:
    """The store's directory: `OPENHEARTH_HOME`, or the user's data directory."""
    chosen = os.environ.get("OPENHEARTH_HOME")
    return Path(chosen).expanduser() if chosen else platformdirs.user_data_path("openhearth")


def lasting_place() -> str:
    """The URL where everything is kept for good: `OPENHEARTH_STORE`; empty if that is the home."""
    return os.environ.get("OPENHEARTH_STORE", "")


@contextlib.contextmanager
def explain_disk_errors(root: Path) -> Iterator[None]:
    """Turn a full or read-only disk into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HearthError(
                f"The disk under {root} is full; nothing was left half-written: free some space "
                "(`hearth gc` helps) or point OPENHEARTH_HOME elsewhere, and run the same again."
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise HearthError(
                f"{error.filename or root} cannot be written ({error.strerror}): point "
                "OPENHEARTH_HOME at a directory of yours."
            ) from error
        raise


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` so that a reader, or a crash, sees the old file or the new one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def new_directory(place: Path) -> Iterator[Path]:
    """An empty directory to fill, which takes that place when the block ends well, whatever was
    there. A reader, or a crash, sees the old one or the new one whole; only where the system cannot
    exchange names (NFS, for one) there is neither for an instant.
    """
    place = place.absolute()
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".new-") as temporary:
        fresh = Path(temporary, "new")
        fresh.mkdir()
        yield fresh
        if place.exists() and not _exchange(fresh, place):
            place.rename(Path(temporary, "old"))
        if fresh.exists() and not place.exists():
            fresh.rename(place)


def _exchange(one: Path, other: Path) -> bool:
    """What two names name, at one instant, by renameat2 of Linux; whether it could be done."""
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    return renameat2(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock on a file, created if need be; wait for whoever holds it now.

    The kernel releases it when the process dies, however it dies.
    """
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def locked_if_free(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock alone.

    Raises:
        HearthError: with the text `busy`, because somebody else holds it.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HearthError(busy) from error
        yield
