"""From links to verdicts: what is linked is a cluster, one document of it stays, and a file a part
says which.

Numbers are counted from 1 here: 0 stands for all that an index holds, which nothing is better than.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from openhearth.data.dedup.components import write_lowest
from openhearth.data.dedup.keep import First, Keep
from openhearth.data.dedup.pick import best_of, first_of
from openhearth.data.dedup.tables import ArrowFile, batches

VERDICTS = pa.schema([("kept", pa.bool_()), ("cluster", pa.int64())])


def write_verdicts(
    edges: Iterable[np.ndarray],
    documents: int,
    keep: Keep,
    keys: Sequence[Path],
    verdicts: Sequence[Path],
    work: Path,
) -> int:
    """Write `VERDICTS` on the documents of each file of keys; how many of them go.

    Edges are int64 [e, 2], the lower document first. `work` is a folder for this alone: what an
    earlier attempt left there goes, and it itself at the end.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    lowest, kept, count = work / "lowest.i64", work / "kept.bool", documents + 1
    write_lowest(edges, count, lowest, work / "join")
    if isinstance(keep, First):
        chosen = first_of(lowest, count)
    else:
        chosen = best_of(lowest, count, _scores(keys), work / "best")
    with kept.open("wb") as file:
        for some in chosen:
            some.tofile(file)
    copies = _write(lowest, kept, keys, verdicts)
    shutil.rmtree(work)
    return copies


def _write(lowest: Path, kept: Path, keys: Sequence[Path], verdicts: Sequence[Path]) -> int:
    copies = 0
    with lowest.open("rb") as clusters, kept.open("rb") as stay:
        clusters.seek(8)  # past 0
        stay.seek(1)
        for source, target in zip(keys, verdicts, strict=True):
            target.parent.mkdir(exist_ok=True)
            writer = ArrowFile(VERDICTS).writer(target)
            for batch in batches(source):
                here = np.fromfile(stay, bool, batch.num_rows)
                numbers = np.fromfile(clusters, np.int64, batch.num_rows) - 1
                columns = [pa.array(here), pa.array(numbers)]
                writer.write(pa.RecordBatch.from_arrays(columns, schema=VERDICTS))
                copies += len(here) - int(np.count_nonzero(here))
            writer.close()
    return copies


def _scores(keys: Sequence[Path]) -> Iterator[np.ndarray]:
    yield np.array([np.inf])  # of what the index holds
    for path in keys:
        for batch in batches(path):
            yield batch.column("score").to_numpy()
