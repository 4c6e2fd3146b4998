"""Files put out of the kernel's page cache, as a machine has them that was just started."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

ENOUGH = 0.01  # of a file may stay


def forget(files: Iterable[Path]) -> None:
    """Let the next read of these come from the disk, which the kernel does not promise: whether it
    did so is looked at. Nobody may have them mapped.
    """
    for path in files:
        with path.open("rb") as file:
            os.fdatasync(file)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            if _here(file.fileno()) > ENOUGH:
                raise SystemExit(f"{path} stays in the page cache: this kernel does not let go.")


def _here(file: int) -> float:
    """The share of a file's pages that are in memory."""
    size = os.fstat(file).st_size
    if not size:
        return 0.0
    pages = np.empty(-(-size // mmap.PAGESIZE), np.uint8)
    with mmap.mmap(file, size, mmap.MAP_SHARED, mmap.PROT_READ) as mapped:
        view = np.frombuffer(mapped, np.uint8)
        where = ctypes.c_void_p(view.ctypes.data)
        failed = ctypes.CDLL(None).mincore(where, ctypes.c_size_t(size), pages.ctypes)
        del view  # else the map cannot be closed
    return 1.0 if failed else float((pages & 1).mean())
