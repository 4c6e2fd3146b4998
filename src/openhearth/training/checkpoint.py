"""Checkpoints: files from which a run goes on bit for bit as if nothing had happened.

A file is called `STEP-DIGEST.safetensors`, by the steps done and the SHA-256 of its bytes, so its
name says whether it is whole. A thread writes it beside its place and renames it, while training
goes on; a kill at any moment leaves the older ones. A damaged one is passed over.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from openhearth.store import file_digest

KEPT = 2
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Snapshot:
    """The state of a run after `step` steps: tensors, and a note of plain data."""

    step: int
    tensors: dict[str, torch.Tensor]
    note: dict[str, Any]


class Checkpoints:
    """The checkpoints in one directory."""

    def __init__(self, directory: Path, *, writes: bool = True) -> None:
        self._directory = directory
        self._writer: threading.Thread | None = None
        self._error: BaseException | None = None
        directory.mkdir(parents=True, exist_ok=True)
        for left in directory.glob(".new-*") if writes else ():
            left.unlink()  # of a run that was killed while it wrote

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *error: object) -> None:
        self.wait()

    def save(self, snapshot: Snapshot) -> None:
        """Copy the state and write it in the background; not if the last one is still on its way.

        Raises:
            OSError: the last one could not be written.
        """
        if self._writer is not None and self._writer.is_alive():
            return
        self.wait()
        copies = {
            name: tensor.detach().to("cpu", copy=True) for name, tensor in snapshot.tensors.items()
        }
        copied = Snapshot(snapshot.step, copies, dict(snapshot.note))
        self._writer = threading.Thread(target=self._write, args=(copied,), name="checkpoint")
        self._writer.start()

    def wait(self) -> None:
        """Until what was saved is on disk.

        Raises:
            OSError: it could not be written.
        """
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def newest(self) -> Snapshot | None:
        """The newest whole one. Those that are damaged, which are removed, do not count."""
        for path in self._paths():
            step, _, digest = path.name.removesuffix(SUFFIX).partition("-")
            if file_digest(path) == digest:
                with safe_open(path, framework="pt") as file:
                    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                    return Snapshot(int(step), tensors, json.loads(file.metadata()["note"]))
            path.unlink()
        return None

    def _paths(self) -> list[Path]:
        """All there are, the newest first."""
        return sorted(self._directory.glob(f"[0-9]*{SUFFIX}"), reverse=True)

    def _write(self, snapshot: Snapshot) -> None:
        try:
            temporary = self._directory / f".new-{snapshot.step}"
            save_file(snapshot.tensors, temporary, {"note": json.dumps(snapshot.note)})
            digest = file_digest(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, self._directory / f"{snapshot.step:08}-{digest}{SUFFIX}")
            for old in self._paths()[KEPT:]:
                old.unlink()
        except BaseException as error:
            self._error = error
