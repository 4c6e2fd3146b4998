"""Clusters of many documents, for `data_memory.py`: `python benchmarks/_clusters.py DOCUMENTS`
prints the largest resident set of the step from links to verdicts, in MB.

One document in five has copies, far from each other, and comes with each of its links five times,
as documents do that have five keys in common. The copy with the highest score stays.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from openhearth.data.dedup import Newest
from openhearth.data.dedup.find import KEYS
from openhearth.data.dedup.tables import ArrowFile
from openhearth.data.dedup.verdicts import write_verdicts

BLOCK, GROUPS, COPIES, TIMES = 4000, 1 << 16, 4, 5


def edges(documents: int) -> Iterator[np.ndarray]:
    """Links between documents, counted from 1."""
    for _ in range(TIMES):
        for seed in range(1 + documents // (5 * COPIES * GROUPS)):
            chance = np.random.default_rng(seed)
            one = np.repeat(chance.integers(1, documents + 1, GROUPS), COPIES)
            other = chance.integers(1, documents + 1, len(one))
            yield np.sort(np.stack([one, other], axis=1)[one != other], axis=1)


def write_keys(path: Path, documents: int) -> None:
    """Scores beside keys that nobody reads any more."""
    chance, writer = np.random.default_rng(0), ArrowFile(KEYS).writer(path)
    for begin in range(0, documents, BLOCK):
        count = min(BLOCK, documents - begin)
        keys = pa.ListArray.from_arrays(np.zeros(count + 1, np.int32), pa.array([], pa.uint64()))
        scores = pa.array(chance.integers(0, 50, count).astype(float))
        writer.write(pa.RecordBatch.from_arrays([keys, scores], schema=KEYS))
    writer.close()


def main() -> None:
    documents = int(sys.argv[1])
    with TemporaryDirectory() as folder:
        keys, verdicts, work = (Path(folder) / name for name in ("keys", "verdicts/0", "work"))
        write_keys(keys, documents)
        write_verdicts(edges(documents), documents, Newest(), [keys], [verdicts], work)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)


if __name__ == "__main__":
    main()
