"""Artifacts move between stores by digest, and only the bytes that are missing.

The other side is any fsspec URL (a directory, `s3://…`, `memory://…`) with the layout of a store.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openhearth.errors import CorruptArtifact, NotFound
from openhearth.store.artifact import DIGEST, Artifact, FileEntry, Manifest, file_digest
from openhearth.store.disk import explain_disk_errors, locked
from openhearth.store.lineage import lineage
from openhearth.store.refs import file_of
from openhearth.store.store import Store

if TYPE_CHECKING:
    import fsspec


def push(artifact: Artifact, url: str, *, name: str | None = None) -> int:
    """Copy an artifact and everything it was made from to `url`; return the bytes sent.

    Raises:
        UsageError: `name` cannot name an artifact.
        CorruptArtifact: bytes to be sent are damaged here.
    """
    filesystem, root = _open(url)
    sent = 0
    for node in reversed(lineage(artifact).walk()):
        for entry in node.artifact.manifest.files.values():
            target = _blob(root, entry.digest)
            if not filesystem.exists(target):
                _put_file(filesystem, target, artifact.store.verified_blob(entry))
                sent += entry.size
        _put(filesystem, _manifest(root, node.artifact.digest), node.artifact.manifest.to_bytes())
    if name is not None:
        _put(filesystem, f"{root}/refs/{file_of(name)}", artifact.digest.encode())
    return sent


def pull(store: Store, url: str, name: str) -> Artifact:
    """Fetch the artifact that `name` (a ref or a whole digest) means at `url`, with its inputs.

    Raises:
        NotFound: `url` has no such artifact.
        UsageError: `name` cannot name an artifact.
        CorruptArtifact: what arrived does not match its digest; nothing of it is kept.
        HearthError: the disk is full or cannot be written.
    """
    filesystem, root = _open(url)
    ref = f"{root}/refs/{file_of(name)}"
    digest = filesystem.cat_file(ref).decode() if filesystem.exists(ref) else name
    if not DIGEST.fullmatch(digest):
        raise NotFound(f"{url} has no artifact called {name!r}: check the name and the address.")
    with explain_disk_errors(store.root), locked(store.lock_path, shared=True):
        _pull_closure(store, filesystem, root, digest)
        return store.load(digest)


def _open(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path there."""
    import fsspec  # a tenth of a second, which only this room's guests need

    return fsspec.core.url_to_fs(url)


def _pull_closure(
    store: Store, filesystem: fsspec.AbstractFileSystem, root: str, digest: str
) -> None:
    if store.manifest_path(digest).exists():
        return
    if not filesystem.exists(_manifest(root, digest)):
        raise NotFound(f"{root} does not hold artifact {digest[:12]}: push it there again.")
    manifest = Manifest.from_bytes(filesystem.cat_file(_manifest(root, digest)))
    if manifest.digest != digest:
        raise CorruptArtifact(f"The manifest {digest[:12]} at {root} was altered: do not use it.")
    for parent in manifest.inputs.values():
        _pull_closure(store, filesystem, root, parent)
    for entry in manifest.files.values():
        if not store.blob(entry.digest).exists():
            _pull_blob(store, filesystem, root, entry)
    store.add_manifest(manifest)


def _pull_blob(
    store: Store, filesystem: fsspec.AbstractFileSystem, root: str, entry: FileEntry
) -> None:
    handle, temporary = tempfile.mkstemp(dir=store.root / "tmp")
    os.close(handle)
    path = Path(temporary)
    try:
        filesystem.get_file(_blob(root, entry.digest), temporary)
        if file_digest(path) != entry.digest:
            raise CorruptArtifact(
                f"The bytes of {entry.digest[:12]} from {root} are damaged: pull again."
            )
        store.adopt(path, entry)
    finally:
        path.unlink(missing_ok=True)


def _blob(root: str, digest: str) -> str:
    return f"{root}/blobs/sha256/{digest[:2]}/{digest}"


def _manifest(root: str, digest: str) -> str:
    return f"{root}/manifests/{digest}.json"


def _put_file(filesystem: fsspec.AbstractFileSystem, path: str, local: Path) -> None:
    # Beside its place first: a copy that broke off must not look like the whole.
    filesystem.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    filesystem.put_file(str(local), f"{path}.part")
    filesystem.mv(f"{path}.part", path)


def _put(filesystem: fsspec.AbstractFileSystem, path: str, data: bytes) -> None:
    filesystem.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    filesystem.pipe_file(path, data)
