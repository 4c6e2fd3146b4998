"""Where the bytes of files are: a directory of this machine, or any fsspec URL."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from openhearth.errors import NotFound
from openhearth.store.disk import explain_disk_errors, lasting_place
from openhearth.store.place import CHUNK, Place


def usual_place(home: Path) -> str:
    """The URL where files are if nobody says another: at the lasting place, else in the home."""
    lasting = lasting_place()
    return f"{lasting.rstrip('/')}/files" if lasting else (home / "files").as_uri()


class Contents:
    """Blobs by name. Each is written once, whole, and then only read and removed. Of those that are
    elsewhere `copies` has some.
    """

    def __init__(self, url: str, copies: Path) -> None:
        self._place = Place(url)
        self._copies = copies

    def put(self, local: Path, name: str) -> None:
        """Copy a file there; when this returns it is there for good.

        Raises:
            HearthError: the place is full or cannot be written.
        """
        self._place.put(name, local)

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes, a chunk at a time.

        Raises:
            HearthError: the place cannot be read.
        """
        near = self._near(name)
        if near is None:
            yield from self._place.chunks(name)
            return
        with near.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def remove(self, name: str) -> None:
        """Forget a blob, which may be gone already.

        Raises:
            HearthError: the place cannot be written.
        """
        self._place.drop(name)
        (self._copies / name).unlink(missing_ok=True)

    def local(self, name: str) -> Path:
        """A blob as a file of this machine; of elsewhere, a copy that is kept.

        Raises:
            NotFound: it is gone.
            HearthError: the place cannot be read, or the disk is full.
        """
        near = self._near(name)
        if near is None:
            with explain_disk_errors(self._copies):
                near = self._copy(name)
        return near

    def _near(self, name: str) -> Path | None:
        """A blob that is on this machine."""
        places = [Path(self._place.path(name))] if self._place.is_here else []
        return next((path for path in [*places, self._copies / name] if path.exists()), None)

    def _copy(self, name: str) -> Path:
        copy = self._copies / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=copy.parent)
        os.close(handle)
        try:
            if not self._place.get(name, Path(temporary)):
                raise NotFound(f"{self._place.url} does not have {name} any more: upload it again.")
            os.replace(temporary, copy)
        finally:
            Path(temporary).unlink(missing_ok=True)
        return copy
