"""Taking artifacts out of the store, and their bytes when nothing needs them any more."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from openhearth.errors import CorruptArtifact, HearthError, UsageError
from openhearth.store.artifact import Artifact, Manifest, file_digest
from openhearth.store.disk import locked_if_free
from openhearth.store.remote import Remote
from openhearth.store.store import Store


def remove(store: Store, name: str) -> Artifact:
    """Remove an artifact and its names. Its bytes go at the next `collect`.

    Raises:
        NotFound: there is no such artifact.
        HearthError: another artifact was made from it, or a job is running.
    """
    with _alone(store):
        store.catalogue.sync()
        artifact = store.get(name)
        users = [a for a in store.artifacts() if artifact.digest in a.manifest.inputs.values()]
        if users:
            raise HearthError(
                f"{name} is needed by {', '.join(_call(user) for user in users)}: "
                "remove those first."
            )
        _drop(store, artifact.digest)
        return artifact


def collect(
    store: Store, *, unnamed: bool = False, copies: bool = False, there: bool = False
) -> int:
    """Delete bytes that no artifact names, and what dead jobs left; return the bytes freed.

    Artifacts with damaged bytes go first. With `unnamed`, those go too that have no name and from
    which nothing named was made; with `copies`, the bytes that are at the lasting place as well;
    with `there`, those at the lasting place that no artifact names, which is for when nobody
    writes there.

    Raises:
        UsageError: there is no lasting place.
        HearthError: a job is running; what it has just written must not be taken for waste.
    """
    remote = store.catalogue.remote
    if (copies or there) and remote is None:
        raise UsageError("There is no lasting place: set OPENHEARTH_STORE to its URL.")
    with _alone(store):
        store.catalogue.sync()
        _drop_corrupt(store)
        if unnamed:
            _drop_unnamed(store)
        used = _used_by(store.root.glob("at/*/manifests/*.json"))
        if copies and remote:
            used -= remote.blobs().keys()
        used |= _used_by(store.root.glob("manifests/*.json"))
        unused = [p for p in store.root.glob("blobs/sha256/*/*") if p.name not in used]
        unfinished = [*store.root.glob("tmp/*"), *store.root.glob("work/*")]
        for entry in store.root.glob("made/[0-9a-f]*"):
            if not (store.root / "manifests" / f"{entry.read_text()}.json").exists():
                entry.unlink()
        freed = sum(_delete(path) for path in [*unused, *unfinished])
        return freed + (_collect_there(store, remote) if there and remote else 0)


def _collect_there(store: Store, remote: Remote) -> int:
    """Delete what nothing leads to at the lasting place; return the bytes freed."""
    digests = set(store.digests())
    used = {e.digest for a in store.artifacts() for e in a.manifest.files.values()}
    unused = {digest: one.size for digest, one in remote.blobs().items() if digest not in used}
    broken_off = {f"tmp/{name}": one.size for name, one in remote.place.folder("tmp").items()}
    for digest in unused:
        remote.drop_blob(digest)
    made = [f"made/{key}" for key in remote.place.folder("made") if remote.made(key) not in digests]
    for name in [*broken_off, *made]:
        remote.place.drop(name)
    return sum(unused.values()) + sum(broken_off.values())


def _alone(store: Store) -> contextlib.AbstractContextManager[None]:
    return locked_if_free(
        store.lock_path,
        f"A job is running in the store at {store.root}: run this again when it has ended.",
    )


def _drop(store: Store, digest: str) -> None:
    for name in store.names_of(digest):
        store.refs.drop(name)
    store.catalogue.drop(digest)
    store.cost_path(digest).unlink(missing_ok=True)


def _drop_corrupt(store: Store) -> None:
    """Drop artifacts whose manifest is unreadable or whose bytes are missing or damaged; of those
    that lie elsewhere, only copies: they come again.
    """
    if store.catalogue.remote:
        _drop_corrupt_copies(store, store.catalogue.remote)
        return
    for digest in store.digests():
        try:
            for entry in store.load(digest).manifest.files.values():
                store.verified_blob(entry)
        except CorruptArtifact:
            _drop(store, digest)


def _drop_corrupt_copies(store: Store, remote: Remote) -> None:
    for path in store.root.glob("blobs/sha256/*/*"):
        if file_digest(path) != path.name:
            path.unlink()
    for digest in store.digests():
        if not _is_readable(store, digest):
            store.manifest_path(digest).unlink(missing_ok=True)
            if not _is_readable(store, digest):  # nor is it where it came from
                _drop(store, digest)


def _is_readable(store: Store, digest: str) -> bool:
    with contextlib.suppress(CorruptArtifact):
        store.load(digest)
        return True
    return False


def _used_by(manifests: Iterable[Path]) -> set[str]:
    """The digests of all files of artifacts."""
    used: set[str] = set()
    for path in manifests:
        with contextlib.suppress(CorruptArtifact):
            used |= {e.digest for e in Manifest.from_bytes(path.read_bytes()).files.values()}
    return used


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
