"""Artifacts move between stores by digest, and only the bytes that are missing."""

from __future__ import annotations

from openhearth.errors import NotFound
from openhearth.store.artifact import DIGEST, Artifact
from openhearth.store.disk import explain_disk_errors, locked
from openhearth.store.remote import Remote
from openhearth.store.store import Store


def push(artifact: Artifact, url: str, *, name: str | None = None) -> int:
    """Copy an artifact and everything it was made from to `url`; return the bytes sent.

    Raises:
        UsageError: `name` cannot name an artifact, or `url` is no address of files.
        CorruptArtifact: bytes to be sent are damaged here.
        HearthError: `url` cannot be written.
    """
    remote = Remote(url)
    sent = _push_closure(remote, artifact, set())
    if name is not None:
        remote.set_ref(name, artifact.digest)
    return sent


def pull(store: Store, url: str, name: str) -> Artifact:
    """Fetch the artifact that `name` (a ref or a whole digest) means at `url`, with its inputs.

    Raises:
        NotFound: `url` has no such artifact.
        UsageError: `name` cannot name an artifact, or `url` is no address of files.
        CorruptArtifact: what arrived does not match its digest; nothing of it is kept.
        HearthError: `url` cannot be read, or the disk is full or cannot be written.
    """
    remote = Remote(url)
    digest = remote.ref(name) or name
    if not DIGEST.fullmatch(digest):
        raise NotFound(f"{remote.url} has no artifact called {name!r}: check name and address.")
    with explain_disk_errors(store.root), locked(store.lock_path, shared=True):
        _pull_closure(store, remote, digest)
        return store.load(digest)


def _push_closure(remote: Remote, artifact: Artifact, done: set[str]) -> int:
    if artifact.digest in done:
        return 0
    done.add(artifact.digest)
    parents = [artifact.store.load(digest) for digest in artifact.manifest.inputs.values()]
    sent = sum(_push_closure(remote, parent, done) for parent in parents)
    return sent + remote.send(artifact)


def _pull_closure(store: Store, remote: Remote, digest: str) -> None:
    if store.manifest_path(digest).exists():
        return
    manifest = remote.manifest(digest)
    for parent in manifest.inputs.values():
        _pull_closure(store, remote, parent)
    for entry in manifest.files.values():
        if not store.blob(entry.digest).exists():
            remote.fetch(store, entry)
    store.add_manifest(manifest)
