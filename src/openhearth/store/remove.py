"""Taking artifacts out of the store, and their bytes when nothing needs them any more."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from openhearth.errors import CorruptArtifact, HearthError
from openhearth.store.artifact import Artifact
from openhearth.store.disk import locked_if_free
from openhearth.store.store import Store


def remove(store: Store, name: str) -> Artifact:
    """Remove an artifact and its names. Its bytes go at the next `collect`.

    Raises:
        NotFound: there is no such artifact.
        HearthError: another artifact was made from it, or a job is running.
    """
    with _alone(store):
        artifact = store.get(name)
        users = [a for a in store.artifacts() if artifact.digest in a.manifest.inputs.values()]
        if users:
            raise HearthError(
                f"{name} is needed by {', '.join(_call(user) for user in users)}: "
                "remove those first."
            )
        _drop(store, artifact.digest)
        return artifact


def collect(store: Store, *, unnamed: bool = False) -> int:
    """Delete bytes that no artifact names, and what dead jobs left; return the bytes freed.

    Artifacts with damaged bytes go first. With `unnamed`, those go too that have no name and from
    which nothing named was made.

    Raises:
        HearthError: a job is running; what it has just written must not be taken for waste.
    """
    with _alone(store):
        _drop_corrupt(store)
        if unnamed:
            _drop_unnamed(store)
        used = {e.digest for a in store.artifacts() for e in a.manifest.files.values()}
        unused = [p for p in store.root.glob("blobs/sha256/*/*") if p.name not in used]
        unfinished = [*store.root.glob("tmp/*"), *store.root.glob("work/*")]
        for entry in store.root.glob("made/[0-9a-f]*"):
            if not store.manifest_path(entry.read_text()).exists():
                entry.unlink()
        return sum(_delete(path) for path in [*unused, *unfinished])


def _alone(store: Store) -> contextlib.AbstractContextManager[None]:
    return locked_if_free(
        store.lock_path,
        f"A job is running in the store at {store.root}: run this again when it has ended.",
    )


def _drop(store: Store, digest: str) -> None:
    for name in store.names_of(digest):
        store.refs.drop(name)
    store.manifest_path(digest).unlink()
    store.cost_path(digest).unlink(missing_ok=True)


def _drop_corrupt(store: Store) -> None:
    """Drop artifacts whose manifest is unreadable or whose bytes are missing or damaged."""
    for digest in store.digests():
        try:
            for entry in store.load(digest).manifest.files.values():
                store.verified_blob(entry)
        except CorruptArtifact:
            _drop(store, digest)


def _drop_unnamed(store: Store) -> None:
    artifacts = {artifact.digest: artifact for artifact in store.artifacts()}
    reached: set[str] = set()
    frontier = list(store.refs.all().values())
    while frontier:
        digest = frontier.pop()
        if digest in artifacts and digest not in reached:
            reached.add(digest)
            frontier.extend(artifacts[digest].manifest.inputs.values())
    for digest in artifacts.keys() - reached:
        _drop(store, digest)


def _delete(path: Path) -> int:
    """Delete a file or a directory; return its bytes."""
    files: Iterator[Path] = path.rglob("*") if path.is_dir() else iter([path])
    freed = sum(file.stat().st_size for file in files if file.is_file())
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    return freed


def _call(artifact: Artifact) -> str:
    names = artifact.store.names_of(artifact.digest)
    return names[0] if names else f"{artifact.kind} {artifact.digest[:12]}"
