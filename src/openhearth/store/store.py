"""Where artifacts live: content-addressed blobs, manifests, names, and work in progress.

    blobs/sha256/ab/abcd…   the bytes of every file, once
    manifests/DIGEST.json   what each artifact is
    refs/NAME               a name for a digest
    made/KEY                the artifact that a recipe over given inputs has already made
    work/KEY/               the durable scratch directory of a job that is not finished
    costs/DIGEST.json       time and speed of the run that made it (not part of the digest)

Everything is written beside its place and renamed into it. Drafts hold a shared lock, collection
an exclusive one, so `gc` never removes what a running job has just written.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import platformdirs

from openhearth import __version__
from openhearth.errors import CorruptArtifact, HearthError, NotFound, UsageError
from openhearth.store.artifact import (
    KINDS,
    Artifact,
    FileEntry,
    Manifest,
    canonical_json,
    file_digest,
)

CODE = f"openhearth=={__version__}"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*(:[a-z0-9][a-z0-9._-]*)?")
DIGEST = re.compile(r"[0-9a-f]{6,64}")


def home() -> Path:
    """The store's directory: `OPENHEARTH_HOME`, or the user's data directory."""
    chosen = os.environ.get("OPENHEARTH_HOME")
    return Path(chosen).expanduser() if chosen else platformdirs.user_data_path("openhearth")


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
        if error.errno in (errno.EACCES, errno.EROFS):
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


def job_key(kind: str, inputs: Mapping[str, str], recipe: Mapping[str, Any]) -> str:
    """What identifies a piece of work: what is made, from what, how, by which code."""
    return hashlib.sha256(canonical_json([kind, inputs, recipe, CODE])).hexdigest()


@dataclass
class Draft:
    """An artifact being made: write files under `path(name)`, keep resumable state in `work`."""

    path_of_files: Path
    work: Path
    metrics: dict[str, Any] = field(default_factory=dict)
    license: list[str] = field(default_factory=list)
    creator: list[str] = field(default_factory=list)
    cost: dict[str, Any] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Where to write the file `name`; its directories exist."""
        target = self.path_of_files / name
        if not target.resolve().is_relative_to(self.path_of_files.resolve()):
            raise UsageError(
                f"{name!r} leaves the artifact: file names are relative, without '..'."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


class Store:
    """All artifacts of one user or machine, under one directory."""

    def __init__(self, root: Path | str | None = None) -> None:
        self.root = Path(root) if root is not None else home()
        self._verified: set[str] = set()
        with explain_disk_errors(self.root):
            for part in ("blobs/sha256", "manifests", "refs", "made", "work", "costs", "tmp"):
                (self.root / part).mkdir(parents=True, exist_ok=True)

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
        time builds; another waits and then finds the result.

        Raises:
            UsageError: unknown kind.
            HearthError: the disk is full or cannot be written.
        """
        if kind not in KINDS:
            raise UsageError(f"{kind!r} is not a kind of artifact: use one of {', '.join(KINDS)}.")
        inputs, recipe = dict(inputs or {}), dict(recipe or {})
        key = job_key(kind, inputs, recipe)
        with explain_disk_errors(self.root), self._lock(shared=True), self._job_lock(key):
            if found := self._made(key):
                return found
            work = self.root / "work" / key
            work.mkdir(exist_ok=True)
            files = Path(tempfile.mkdtemp(dir=self.root / "tmp"))
            try:
                draft = Draft(files, work)
                build(draft)
                artifact = self._commit(kind, draft, inputs, recipe)
            finally:
                shutil.rmtree(files, ignore_errors=True)
            write_atomically(self.root / "made" / key, artifact.digest.encode())
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
            write_atomically(
                self.root / "costs" / f"{manifest.digest}.json", canonical_json(draft.cost)
            )
        self.add_manifest(manifest)
        return Artifact(manifest.digest, manifest, self)

    def add_manifest(self, manifest: Manifest) -> None:
        """Record an artifact whose blobs are all here already."""
        write_atomically(self.root / "manifests" / f"{manifest.digest}.json", manifest.to_bytes())

    def _add_blob(self, path: Path) -> FileEntry:
        entry = FileEntry(file_digest(path), path.stat().st_size)
        target = self.blob(entry.digest)
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            with path.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(path, target)
            target.chmod(0o444)
        return entry

    # -- reading ------------------------------------------------------------------------------

    def blob(self, digest: str) -> Path:
        """Where the bytes with this digest lie, or would lie."""
        return self.root / "blobs" / "sha256" / digest[:2] / digest

    def verified_blob(self, entry: FileEntry) -> Path:
        """The path of a blob whose bytes match its digest (checked once per process).

        Raises:
            CorruptArtifact: it is missing, truncated or altered.
        """
        path = self.blob(entry.digest)
        if entry.digest not in self._verified:
            if not path.is_file() or file_digest(path) != entry.digest:
                raise CorruptArtifact(
                    f"{path} is missing or damaged (its bytes do not match its digest): "
                    "remove the artifacts that use it with `hearth gc`, then make them again."
                )
            self._verified.add(entry.digest)
        return path

    def get(self, name: str) -> Artifact:
        """The artifact with this name, digest, or beginning of a digest (six characters or more).

        Raises:
            NotFound: nothing, or more than one artifact, answers to it.
        """
        ref = self._ref_path(name) if NAME.fullmatch(name) else None
        if ref is not None and ref.is_file():
            return self._load(ref.read_text())
        if DIGEST.fullmatch(name):
            matches = sorted((self.root / "manifests").glob(f"{name}*.json"))
            if len(matches) == 1:
                return self._load(matches[0].stem)
            if matches:
                raise NotFound(f"{len(matches)} artifacts begin with {name}: give more digits.")
        raise NotFound(f"Nothing in the store is called {name!r}: `hearth ls` lists what there is.")

    def artifacts(self) -> list[Artifact]:
        """Every artifact, oldest first."""
        paths = sorted(
            (self.root / "manifests").glob("[0-9a-f]*.json"), key=lambda p: p.stat().st_mtime_ns
        )
        return [self._load(path.stem) for path in paths]

    def cost(self, digest: str) -> dict[str, Any]:
        """What the run that made an artifact measured of itself; empty when unknown."""
        path = self.root / "costs" / f"{digest}.json"
        return orjson.loads(path.read_bytes()) if path.exists() else {}

    def _load(self, digest: str) -> Artifact:
        path = self.root / "manifests" / f"{digest}.json"
        if not path.is_file():
            raise NotFound(f"Artifact {digest[:12]} is not in the store at {self.root}.")
        manifest = Manifest.from_bytes(path.read_bytes())
        if manifest.digest != digest:
            raise CorruptArtifact(
                f"The manifest {path} was altered: remove it, then make the artifact again."
            )
        return Artifact(digest, manifest, self)

    def _made(self, key: str) -> Artifact | None:
        path = self.root / "made" / key
        with contextlib.suppress(NotFound, FileNotFoundError):
            return self._load(path.read_text())
        return None

    # -- names --------------------------------------------------------------------------------

    def tag(self, name: str, digest: str) -> None:
        """Let `name` mean this artifact from now on.

        Raises:
            UsageError: the name is not lower-case words joined by `. _ - /`, then `:tag` or not.
        """
        self._load(digest)
        write_atomically(self._ref_path(name), digest.encode())

    def refs(self) -> dict[str, str]:
        """All names and the digests they mean."""
        return {
            path.name.replace("%2f", "/"): path.read_text()
            for path in sorted((self.root / "refs").iterdir())
            if not path.name.startswith(".")
        }

    def names_of(self, digest: str) -> list[str]:
        """The names that mean this artifact."""
        return [name for name, target in self.refs().items() if target == digest]

    def _ref_path(self, name: str) -> Path:
        if not NAME.fullmatch(name) or len(name) > 128:
            raise UsageError(
                f"{name!r} cannot name an artifact: use lower-case letters, digits and . _ - /, "
                "with an optional :tag."
            )
        return self.root / "refs" / name.replace("/", "%2f")

    # -- removing -----------------------------------------------------------------------------

    def dependants(self, digest: str) -> list[Artifact]:
        """The artifacts made from this one."""
        return [a for a in self.artifacts() if digest in a.manifest.inputs.values()]

    def remove(self, name: str) -> Artifact:
        """Remove an artifact and its names. Its bytes go at the next `collect`.

        Raises:
            NotFound: there is no such artifact.
            HearthError: another artifact was made from it.
        """
        artifact = self.get(name)
        if users := self.dependants(artifact.digest):
            raise HearthError(
                f"{name} is needed by {', '.join(map(self._call, users))}: remove those first."
            )
        for ref in self.names_of(artifact.digest):
            self._ref_path(ref).unlink(missing_ok=True)
        (self.root / "manifests" / f"{artifact.digest}.json").unlink()
        (self.root / "costs" / f"{artifact.digest}.json").unlink(missing_ok=True)
        return artifact

    def collect(self, *, unnamed: bool = False) -> int:
        """Delete bytes that no artifact names, and what dead jobs left; return the bytes freed.

        With `unnamed`, artifacts go too that have no name and from which nothing named was made.
        """
        with self._lock(shared=False):
            self._drop_corrupt()
            if unnamed:
                self._drop_unnamed()
            used = {e.digest for a in self.artifacts() for e in a.manifest.files.values()}
            orphans = [p for p in self.root.glob("blobs/sha256/*/*") if p.name not in used]
            leftovers = [*self.root.glob("tmp/*"), *self.root.glob("work/*")]
            freed = sum(p.stat().st_size for p in orphans)
            for path in orphans:
                path.unlink()
            for path in leftovers:
                freed += sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            for entry in self.root.glob("made/[0-9a-f]*"):
                if not (self.root / "manifests" / f"{entry.read_text()}.json").exists():
                    entry.unlink()
            return freed

    def _drop_corrupt(self) -> None:
        """Remove manifests that are unreadable or whose bytes are missing or damaged."""
        for path in list((self.root / "manifests").glob("[0-9a-f]*.json")):
            try:
                artifact = self._load(path.stem)
                for entry in artifact.manifest.files.values():
                    self.verified_blob(entry)
            except CorruptArtifact:
                path.unlink()
                for ref in self.names_of(path.stem):
                    self._ref_path(ref).unlink()

    def _drop_unnamed(self) -> None:
        by_digest = {a.digest: a for a in self.artifacts()}
        reached: set[str] = set()
        frontier = [d for d in self.refs().values() if d in by_digest]
        while frontier:
            digest = frontier.pop()
            if digest in by_digest and digest not in reached:
                reached.add(digest)
                frontier.extend(by_digest[digest].manifest.inputs.values())
        for digest in by_digest.keys() - reached:
            (self.root / "manifests" / f"{digest}.json").unlink()

    def _call(self, artifact: Artifact) -> str:
        names = self.names_of(artifact.digest)
        return names[0] if names else f"{artifact.kind} {artifact.digest[:12]}"

    # -- locks --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _lock(self, *, shared: bool) -> Iterator[None]:
        with (self.root / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _job_lock(self, key: str) -> Iterator[None]:
        with (self.root / "work" / f"{key}.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
