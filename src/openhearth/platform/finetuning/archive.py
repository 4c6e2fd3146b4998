"""What a job made as one file to download: a `.tar.zst` of an adapter as `peft` has it, or of a
model as a Hugging Face directory.

It is written to the disk as it is packed, once, and kept for a while, since clients ask for its
size first, for the rest after a connection broke, and for the same again.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Literal

import zstandard

from openhearth.errors import HearthError
from openhearth.models import base_of
from openhearth.models.adapter_files import SETTINGS, WEIGHTS
from openhearth.store import Artifact, Store
from openhearth.store.disk import explain_disk_errors, locked, locked_if_free

Form = Literal["adapter", "model", "tokens"]
MOST_KEPT = 8  # archives
KEPT_SECONDS = 24 * 3600  # since one was last asked for
MEDIA_TYPE = "application/zstd"
LOCK, PART = ".lock", "part-"


def kept(artifact: Artifact, form: Form) -> Path | None:
    """The file, if it is there already; it is kept for a while from now on."""
    target = _target(artifact, form)
    try:
        os.utime(target)
    except FileNotFoundError:
        return None
    return target


def size_of(artifact: Artifact, form: Form) -> int:
    """The bytes that are read for it."""
    sources = {artifact.digest: artifact}
    if form == "model":
        base = base_of(artifact)
        sources[base.digest] = base
    return sum(e.size for one in sources.values() for e in one.manifest.files.values())


def archive(artifact: Artifact, form: Form) -> Path:
    """The file; a `model` of an adapter is its base with it merged in.

    Raises:
        HearthError: the disk is full, or the artifact is damaged.
    """
    target = _target(artifact, form)
    with explain_disk_errors(target.parent), _workplace(target.parent) as work:
        packed = work / target.name
        _pack(_files(artifact, form, work), packed)
        packed.rename(target)
        sweep(artifact.store)
    return target


def sweep(store: Store) -> None:
    """Remove what those have left who were killed, and archives whose time is over."""
    folder = _folder(store)
    with explain_disk_errors(folder), locked(folder / LOCK):
        for left in folder.glob(f"{PART}*"):
            with suppress(HearthError), locked_if_free(left / LOCK, "It is being written."):
                shutil.rmtree(left)
        ages = {path: time.time() - path.stat().st_mtime for path in folder.glob("*.tar.zst")}
        for place, path in enumerate(sorted(ages, key=lambda path: ages[path])):
            if place >= MOST_KEPT or ages[path] > KEPT_SECONDS:
                path.unlink()


def _folder(store: Store) -> Path:
    folder = store.root / "cache" / "archives"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _target(artifact: Artifact, form: Form) -> Path:
    return _folder(artifact.store) / f"{artifact.digest}-{form}.tar.zst"


@contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """A directory that is there as long as the block, or until a sweep if that was killed."""
    with ExitStack() as stack:
        with locked(folder / LOCK):
            work = Path(tempfile.mkdtemp(prefix=PART, dir=folder))
            stack.callback(shutil.rmtree, work)
            stack.enter_context(locked(work / LOCK))
        yield work


def _files(artifact: Artifact, form: Form, work: Path) -> dict[str, Path]:
    """What is packed, by its name."""
    if form == "model":
        from openhearth.models import export_directory

        target = work / "files"
        export_directory(artifact, target)
        found = (path for path in target.rglob("*") if path.is_file())
        return {str(path.relative_to(target)): path for path in found}
    names = (WEIGHTS, SETTINGS) if form == "adapter" else tuple(artifact.manifest.files)
    return {name: artifact.path(name) for name in names}


def _pack(files: dict[str, Path], target: Path) -> None:
    compressor = zstandard.ZstdCompressor(level=1, threads=-1)
    with (
        target.open("wb") as file,
        compressor.stream_writer(file) as stream,
        tarfile.open(fileobj=stream, mode="w|") as tar,
    ):
        for name, path in sorted(files.items()):
            tar.add(path, name, filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what only this machine knows."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o644
    return entry
