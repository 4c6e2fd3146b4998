"""What artifacts there are: their manifests, their names, and what recipes have made, on a disk."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from openhearth.errors import CorruptArtifact, NotFound
from openhearth.store.artifact import Artifact, FileEntry, Manifest
from openhearth.store.disk import write_atomically
from openhearth.store.refs import Refs

if TYPE_CHECKING:
    from openhearth.store.remote import Remote
    from openhearth.store.store import Store


class Catalogue:
    """That of a directory, which is all there is to it; a `Mirror` has a place elsewhere."""

    remote: Remote | None = None

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.refs = Refs(directory / "refs")
        for part in ("manifests", "refs", "made", "costs"):
            (directory / part).mkdir(parents=True, exist_ok=True)

    def sync(self) -> None:
        """Know what others did, up to now."""

    def manifest_path(self, digest: str) -> Path:
        """Where the manifest with this digest lies, or would lie."""
        return self.directory / "manifests" / f"{digest}.json"

    def cost_path(self, digest: str) -> Path:
        """Where the cost of making this artifact is noted, if it is."""
        return self.directory / "costs" / f"{digest}.json"

    def manifest(self, digest: str) -> Manifest:
        """The manifest of an artifact.

        Raises:
            NotFound: there is no such artifact.
            CorruptArtifact: it was altered.
        """
        path = self.manifest_path(digest)
        try:
            manifest = Manifest.from_bytes(path.read_bytes())
        except FileNotFoundError as error:
            where = self.remote.url if self.remote else self.directory
            raise NotFound(f"Artifact {digest[:12]} is not in the store at {where}.") from error
        if manifest.digest != digest:
            raise CorruptArtifact(
                f"The manifest {path} was altered: drop it with `hearth gc`, then make the "
                "artifact again."
            )
        return manifest

    def digests(self) -> list[str]:
        """The digests of all artifacts, oldest first."""
        found = []
        for path in (self.directory / "manifests").glob("[0-9a-f]*.json"):
            with contextlib.suppress(FileNotFoundError):  # it may go meanwhile
                found.append((path.stat().st_mtime_ns, path.stem))
        return [digest for _, digest in sorted(found)]

    def add(self, artifact: Artifact) -> None:
        """Let there be an artifact, whose bytes are here."""
        write_atomically(self.manifest_path(artifact.digest), artifact.manifest.to_bytes())

    def drop(self, digest: str) -> None:
        """Let there be no such artifact any more; its bytes stay."""
        self.manifest_path(digest).unlink(missing_ok=True)

    def made(self, key: str) -> str | None:
        """The digest of what a piece of work has made."""
        with contextlib.suppress(FileNotFoundError):
            return (self.directory / "made" / key).read_text()
        return None

    def set_made(self, key: str, digest: str) -> None:
        """Remember what a piece of work has made."""
        write_atomically(self.directory / "made" / key, digest.encode())

    def restore(self, store: Store, entry: FileEntry) -> None:
        """Bring bytes that are missing or damaged in a store.

        Raises:
            CorruptArtifact: they are nowhere else.
        """
        raise CorruptArtifact(
            f"{store.blob(entry.digest)} is missing or damaged (its bytes do not match its "
            "digest): drop the artifacts that use it with `hearth gc`, then make them again."
        )
