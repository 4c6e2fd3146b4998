"""A store at a URL, in the layout of one on a disk, but without work in progress.

An artifact is there when its manifest is, which is written last; a name is there when it is written
after that. All bytes are checked against their digests when they come from there.
"""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from openhearth.errors import CorruptArtifact, NotFound
from openhearth.store.artifact import DIGEST, Artifact, FileEntry, Manifest, file_digest
from openhearth.store.place import Found, Place
from openhearth.store.refs import file_of, name_of

if TYPE_CHECKING:
    from openhearth.store.store import Store

AT_ONCE = 8  # files that are sent or fetched


class Remote:
    """Blobs, manifests, names and what recipes made, at an fsspec URL."""

    def __init__(self, url: str) -> None:
        """Raises `UsageError` or `HearthError` where nothing can be at such a URL."""
        self.place = Place(url)
        self.url = self.place.url

    # -- artifacts ------------------------------------------------------------------------------

    def digests(self) -> dict[str, Found]:
        """Every artifact that is there, by its digest."""
        files = self.place.folder("manifests")
        stems = {name.removesuffix(".json"): found for name, found in files.items()}
        return {stem: found for stem, found in stems.items() if DIGEST.fullmatch(stem)}

    def manifest_bytes(self, digest: str) -> bytes | None:
        """A manifest as it lies there, or None if there is no such artifact."""
        return self.place.read(_manifest(digest))

    def manifest(self, digest: str) -> Manifest:
        """A manifest.

        Raises:
            NotFound: there is no such artifact.
            CorruptArtifact: it was altered.
        """
        data = self.manifest_bytes(digest)
        if data is None:
            raise NotFound(f"{self.url} does not hold artifact {digest[:12]}: push it there again.")
        manifest = Manifest.from_bytes(data)
        if manifest.digest != digest:
            raise CorruptArtifact(
                f"The manifest {digest[:12]} at {self.url} was altered: do not use it."
            )
        return manifest

    def send(self, artifact: Artifact) -> int:
        """Copy an artifact there, its manifest last; return the bytes that were missing there.

        Raises:
            CorruptArtifact: bytes to be sent are damaged here.
        """
        entries = {entry.digest: entry for entry in artifact.manifest.files.values()}.values()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            sent = sum(pool.map(lambda entry: self._send_blob(artifact, entry), entries))
        self.place.write(_manifest(artifact.digest), artifact.manifest.to_bytes())
        return sent

    def _send_blob(self, artifact: Artifact, entry: FileEntry) -> int:
        if self.place.has(_blob(entry.digest)):
            return 0
        self.place.put(_blob(entry.digest), artifact.store.verified_blob(entry))
        return entry.size

    def fetch(self, store: Store, entry: FileEntry) -> None:
        """Bring a blob into a store.

        Raises:
            CorruptArtifact: what arrived does not match its digest; nothing of it is kept.
        """
        handle, temporary = tempfile.mkstemp(dir=store.root / "tmp")
        os.close(handle)
        path = Path(temporary)
        try:
            there = self.place.get(_blob(entry.digest), path)
            if not there or file_digest(path) != entry.digest:
                raise CorruptArtifact(
                    f"The bytes of {entry.digest[:12]} at {self.url} are missing or damaged: pull "
                    "again, and if that does not help, remove the artifact and make it again."
                )
            store.adopt(path, entry)
        finally:
            path.unlink(missing_ok=True)

    def drop_manifest(self, digest: str) -> None:
        """Let an artifact be there no more; its bytes stay until they are collected."""
        self.place.drop(_manifest(digest))

    def blobs(self) -> dict[str, Found]:
        """All bytes that are there, by their digests."""
        return self.place.below("blobs/sha256")

    def drop_blob(self, digest: str) -> None:
        """Delete bytes."""
        self.place.drop(_blob(digest))

    # -- what recipes made ----------------------------------------------------------------------

    def made(self, key: str) -> str | None:
        """The digest of what a piece of work has made."""
        return _digest(self.place.read(f"made/{key}"))

    def set_made(self, key: str, digest: str) -> None:
        """Remember what a piece of work has made."""
        self.place.write(f"made/{key}", digest.encode())

    # -- names ----------------------------------------------------------------------------------

    def names(self) -> dict[str, Found]:
        """Every name that is there."""
        files = self.place.folder("refs")
        return {name: found for file, found in files.items() if (name := name_of(file))}

    def ref(self, name: str) -> str | None:
        """The digest that a name means.

        Raises:
            UsageError: it cannot name an artifact.
        """
        return _digest(self.place.read(f"refs/{file_of(name)}"))

    def set_ref(self, name: str, digest: str) -> None:
        """Let a name mean a digest from now on. Raises as `ref`."""
        self.place.write(f"refs/{file_of(name)}", digest.encode())

    def drop_ref(self, name: str) -> None:
        """Forget a name. Raises as `ref`."""
        self.place.drop(f"refs/{file_of(name)}")


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest[:2]}/{digest}"


def _manifest(digest: str) -> str:
    return f"manifests/{digest}.json"


def _digest(data: bytes | None) -> str | None:
    text = (data or b"").decode(errors="replace")
    return text if DIGEST.fullmatch(text) else None
