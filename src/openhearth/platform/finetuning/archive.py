"""What a job made as one file to download: a `.tar.zst` of an adapter as `peft` has it, or of a
model as a Hugging Face directory.

It is written once and kept for a while, since clients ask for its size first, for the rest after a
connection broke, and for the same again.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Literal

import zstandard

from openhearth.models.adapter_files import SETTINGS, WEIGHTS
from openhearth.store import Artifact
from openhearth.store.disk import explain_disk_errors, locked

Form = Literal["adapter", "model", "tokens"]
MOST_KEPT = 8  # archives
MEDIA_TYPE = "application/zstd"


def archive(artifact: Artifact, form: Form) -> Path:
    """The file; a `model` of an adapter is its base with it merged in.

    Raises:
        HearthError: the disk is full, or the artifact is damaged.
    """
    folder = artifact.store.root / "cache" / "archives"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{artifact.digest}-{form}.tar.zst"
    with explain_disk_errors(folder), locked(folder / ".lock"):
        if target.exists():
            os.utime(target)
            return target
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            packed = Path(temporary) / target.name
            _pack(_directory(artifact, form, Path(temporary) / "files"), packed)
            packed.rename(target)
        _forget_old(folder)
    return target


def _directory(artifact: Artifact, form: Form, target: Path) -> Path:
    if form == "model":
        from openhearth.models import export_directory

        export_directory(artifact, target)
        return target
    names = (WEIGHTS, SETTINGS) if form == "adapter" else tuple(artifact.manifest.files)
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(artifact.path(name), target / name)
    return target


def _pack(directory: Path, target: Path) -> None:
    compressor = zstandard.ZstdCompressor(level=1, threads=-1)
    with (
        target.open("wb") as file,
        compressor.stream_writer(file) as stream,
        tarfile.open(fileobj=stream, mode="w|") as tar,
    ):
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                tar.add(path, str(path.relative_to(directory)), filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what only this machine knows."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o644
    return entry


def _forget_old(folder: Path) -> None:
    archives = sorted(folder.glob("*.tar.zst"), key=lambda path: path.stat().st_mtime)
    for path in archives[:-MOST_KEPT]:
        path.unlink()
