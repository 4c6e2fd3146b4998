"""Which documents have a key in common: an external sort that any number of workers share.

Some jobs scatter rows to files by their keys, others then group the rows of a range of keys. What
is found does not depend on how many jobs there are: edges come by rising keys.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from openhearth.data.dedup.group import EDGES, KEYS, Group
from openhearth.data.dedup.scatter import Scatter, Source, shares
from openhearth.errors import HearthError
from openhearth.progress import Progress, silent

RANGES = 256  # of keys, at most: one for each value of the bits that they are scattered by
CHUNK = 1 << 18  # edges read at once


@dataclass(frozen=True)
class Links:
    """What was found: a folder for each range of keys, in their order."""

    folders: tuple[Path, ...]

    def edges(self) -> Iterator[np.ndarray]:
        """int64 [e, 2], the lower document first, some at a time."""
        for folder in self.folders:
            with (folder / EDGES).open("rb") as file:
                while len(edges := np.fromfile(file, np.int64, 2 * CHUNK)):
                    yield edges.reshape(-1, 2)

    def write_keys(self, path: Path) -> None:
        """Write all keys, each once, to a file, uint64 [k, words], by rising keys."""
        with path.open("wb") as file:
            for folder in self.folders:
                with (folder / KEYS).open("rb") as keys:
                    shutil.copyfileobj(keys, file)


def link(
    sources: Sequence[Source],
    words: int,
    folder: Path,
    executor: Any,
    *,
    width: int,
    with_keys: bool = False,
    progress: Progress = silent,
) -> Links:
    """Link each document to the lowest one that has a key of `words` words in common with it.

    Sources come by rising documents; `width` is how many jobs group. What was done in `folder` is
    not done again; it must be used for the same sources and the same width only.

    Raises:
        HearthError: what some machines wrote was not found by others.
    """
    scattered = [Scatter(s, folder / f"scattered/{i:06}") for i, s in enumerate(sources)]
    inputs = tuple(job.folder for job in scattered)
    grouped = [
        Group(inputs, bits, words, folder / f"grouped/{i:06}", with_keys)
        for i, bits in enumerate(shares(RANGES, width))
    ]
    total = len(scattered) + len(grouped)
    progress("group", 0, total, "")
    rows = [0, 0]
    for half, jobs in enumerate((scattered, grouped)):
        for number, done in enumerate(executor.run(jobs), 1 + half * len(scattered)):
            rows[half] += done["rows"]
            progress("group", number, total, "")
    if rows[0] != rows[1]:
        shutil.rmtree(folder)
        raise HearthError(
            f"Of {rows[0]:,} keys in {folder} only {rows[1]:,} were found again: use a folder that "
            "all machines see, and run the same again."
        )
    return Links(tuple(job.folder for job in grouped))
