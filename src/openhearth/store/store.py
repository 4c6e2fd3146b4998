"""Where artifacts live: content-addressed blobs, manifests, names, and work in progress.

    blobs/sha256/ab/abcd…   the bytes of every file, once
    manifests/DIGEST.json   what each artifact is
    refs/NAME               a name for a digest
    made/KEY                the artifact that a recipe over given inputs has already made
    work/KEY/               the durable scratch directory of a job that is not finished
    costs/DIGEST.json       time and speed of the run that made it (not part of the digest)
    at/PLACE/               manifests and names of a lasting place elsewhere (`mirror.py`)

Everything is written beside its place and renamed into it. Whoever makes an artifact holds a
shared lock, whoever removes one an exclusive one, so that nothing goes that a running job has just
written or still reads.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from openhearth.errors import NotFound, UsageError
from openhearth.store.artifact import (
    DIGEST,
    KINDS,
    Artifact,
    FileEntry,
    Manifest,
    canonical_json,
    file_digest,
)
from openhearth.store.catalogue import Catalogue
from openhearth.store.disk import (
    explain_disk_errors,
    home,
    lasting_place,
    locked,
    write_atomically,
)
from openhearth.store.draft import CODE, Draft, job_key
from openhearth.store.mirror import Mirror
from openhearth.store.refs import NAME

BEGINNING = re.compile(r"[0-9a-f]{6,64}")  # of a digest, long enough to look one up by


class Store:
    """All artifacts of one user or machine, under one directory; or, with a `url` (else the one in
    `OPENHEARTH_STORE`), all that are there, of which the directory has copies.
    """

    def __init__(self, root: Path | str | None = None, url: str | None = None) -> None:
        """Raises `UsageError` or `HearthError` where nothing can be at such a URL, or the disk
        cannot be written.
        """
        self.root = Path(root) if root is not None else home()
        self.lock_path = self.root / ".lock"
        self._verified: set[str] = set()
        place = lasting_place() if url is None else url
        with explain_disk_errors(self.root):
            for part in ("blobs/sha256", "work", "tmp"):
                (self.root / part).mkdir(parents=True, exist_ok=True)
            self.catalogue = Mirror(place, self.root) if place else Catalogue(self.root)
        self.refs = self.catalogue.refs

    # -- making -------------------------------------------------------------------------------

    def make(
        self,
        kind: str,
        build: Callable[[Draft], None],
        *,
        inputs: Mapping[str, str] | None = None,
        recipe: Mapping[str, Any] | None = None,
    ) -> Artifact:
        """Return the artifact of this recipe over these inputs, building it only if it is missing.

        `build` writes files into the draft. Its `work` directory survives a crash and is given
        back to the next call with the same arguments, which is how jobs resume. One process at a
        time builds; another waits and then finds the result. Where there is a lasting place, what
        was built is made when it is there.

        Raises:
            UsageError: unknown kind.
            HearthError: the disk is full or cannot be written, or the lasting place cannot.
        """
        if kind not in KINDS:
            raise UsageError(f"{kind!r} is not a kind of artifact: use one of {', '.join(KINDS)}.")
        inputs, recipe = dict(inputs or {}), dict(recipe or {})
        key = job_key(kind, inputs, recipe)
        work = self.root / "work" / key
        with (
            explain_disk_errors(self.root),
            locked(self.lock_path, shared=True),
            locked(work.with_suffix(".lock")),
        ):
            if found := self._made(key):
                return found
            work.mkdir(exist_ok=True)
            files = Path(tempfile.mkdtemp(dir=self.root / "tmp"))
            try:
                draft = Draft(files, work)
                build(draft)
                artifact = self._commit(kind, draft, inputs, recipe)
            finally:
                shutil.rmtree(files, ignore_errors=True)
            self.catalogue.set_made(key, artifact.digest)
            shutil.rmtree(work, ignore_errors=True)
            return artifact

    def find(
        self, kind: str, *, inputs: Mapping[str, str] | None = None, recipe: Mapping[str, Any]
    ) -> Artifact | None:
        """The artifact that this recipe over these inputs has already made, if any."""
        return self._made(job_key(kind, dict(inputs or {}), dict(recipe)))

    def _commit(
        self, kind: str, draft: Draft, inputs: dict[str, str], recipe: dict[str, Any]
    ) -> Artifact:
        paths = sorted(p for p in draft.path_of_files.rglob("*") if p.is_file())
        files = {
            path.relative_to(draft.path_of_files).as_posix(): self._add_blob(path) for path in paths
        }
        manifest = Manifest(
            kind,
            files,
            inputs,
            recipe,
            draft.metrics,
            tuple(sorted(set(draft.license))),
            tuple(sorted(set(draft.creator))),
            CODE,
        )
        if draft.cost:
            write_atomically(self.cost_path(manifest.digest), canonical_json(draft.cost))
        return self.add_manifest(manifest)

    def _add_blob(self, path: Path) -> FileEntry:
        entry = FileEntry(file_digest(path), path.stat().st_size)
        if not self.blob(entry.digest).exists():
            self.adopt(path, entry)
        return entry

    def adopt(self, path: Path, entry: FileEntry) -> None:
        """Move a file, whose bytes are known to match `entry`, into its place."""
        target = self.blob(entry.digest)
        target.parent.mkdir(exist_ok=True)
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        path.chmod(0o444)
        os.replace(path, target)

    def add_manifest(self, manifest: Manifest) -> Artifact:
        """Record an artifact whose blobs are all here already."""
        artifact = Artifact(manifest.digest, manifest, self)
        self.catalogue.add(artifact)
        return artifact

    def _made(self, key: str) -> Artifact | None:
        with contextlib.suppress(NotFound):
            return self.load(self.catalogue.made(key) or "")
        return None

    # -- reading ------------------------------------------------------------------------------

    def get(self, name: str) -> Artifact:
        """The artifact with this name, digest, or beginning of a digest (six characters or more).

        Raises:
            NotFound: nothing, or more than one artifact, answers to it.
        """
        if NAME.fullmatch(name) and (digest := self.refs.get(name)):
            return self.load(digest)
        if DIGEST.fullmatch(name):
            return self.load(name)
        if BEGINNING.fullmatch(name):
            matches = [digest for digest in self.digests() if digest.startswith(name)]
            if len(matches) == 1:
                return self.load(matches[0])
            if matches:
                raise NotFound(f"{len(matches)} artifacts begin with {name}: give more digits.")
        raise NotFound(f"Nothing in the store is called {name!r}: `hearth ls` lists what there is.")

    def load(self, digest: str) -> Artifact:
        """The artifact with this whole digest.

        Raises:
            NotFound: there is none.
            CorruptArtifact: its manifest was altered.
        """
        return Artifact(digest, self.catalogue.manifest(digest), self)

    def artifacts(self) -> list[Artifact]:
        """Every artifact, oldest first."""
        return [self.load(digest) for digest in self.digests()]

    def digests(self) -> list[str]:
        """The digests of all artifacts, oldest first."""
        return self.catalogue.digests()

    def blob(self, digest: str) -> Path:
        """Where the bytes with this digest lie, or would lie."""
        return self.root / "blobs" / "sha256" / digest[:2] / digest

    def verified_blob(self, entry: FileEntry) -> Path:
        """The path of a blob whose bytes match its digest (checked once per process). It comes
        from the lasting place if it is not here, or damaged.

        Raises:
            CorruptArtifact: it is missing, truncated or altered.
            HearthError: the lasting place cannot be read, or the disk is full.
        """
        path = self.blob(entry.digest)
        if entry.digest not in self._verified or not path.exists():
            if not path.is_file() or file_digest(path) != entry.digest:
                self.catalogue.restore(self, entry)
            self._verified.add(entry.digest)
        return path

    def manifest_path(self, digest: str) -> Path:
        """Where the manifest with this digest lies, or would lie."""
        return self.catalogue.manifest_path(digest)

    def cost_path(self, digest: str) -> Path:
        """Where the cost of making this artifact is noted, if it is."""
        return self.catalogue.cost_path(digest)

    def cost(self, digest: str) -> dict[str, Any]:
        """What the run that made an artifact measured of itself; empty when unknown."""
        path = self.cost_path(digest)
        return orjson.loads(path.read_bytes()) if path.exists() else {}

    # -- names --------------------------------------------------------------------------------

    def tag(self, name: str, digest: str) -> None:
        """Let `name` mean this artifact from now on.

        Raises:
            UsageError: the name is not lower-case words joined by `. _ - /`, then `:tag` or not.
            NotFound: there is no such artifact.
            HearthError: the disk, or the lasting place, cannot be written.
        """
        self.load(digest)
        with explain_disk_errors(self.root):
            self.refs.set(name, digest)

    def names_of(self, digest: str) -> list[str]:
        """The names that mean this artifact."""
        return [name for name, target in self.refs.all().items() if target == digest]
