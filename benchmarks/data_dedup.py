"""De-duplication: signatures against datasketch, near copies against rensa and text-dedup, exact
copies and repeated paragraphs against Dolma's deduper.

`python benchmarks/data_dedup.py [DOCUMENTS]` takes any location that `hearth data read` takes. What
is measured begins with text in memory and ends with what is a copy; each side has one core. Ours
writes its keys and verdicts to disk, as it does with any corpus. text-dedup counts its signatures
and clusters. Dolma's deduper knows files only: ours begins with one too in the rows that say so. In
the other, Dolma's time is without what it takes to read, parse and write alone; of exact copies too
little is left of it to be measured so.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from _peers import peer_python, peer_side
from _results import Row, alternate, seconds, write
from _texts import PACKAGES, megabytes, thinned
from datasketch import MinHash

from openhearth.data import native_available, read
from openhearth.data.dedup import PRESETS, Exact, Near, Paragraphs, find, find_repeated
from openhearth.data.dedup.minhash import signatures
from openhearth.data.dedup.tables import batches
from openhearth.data.executors import Threads
from openhearth.data.ngram_index import words_of
from openhearth.data.schema import BLOCK_ROWS, SCHEMA, Corpus, Part, Quarantine

HERE = Path(__file__).parent
PINS = (HERE.parent / "tests" / "peers.txt").read_text().splitlines()
PEERS = {
    "rensa": ("rensa==0.5.0",),
    "text-dedup": ("text-dedup==0.4.0", "datasets==5.2.0"),
    "dolma": ("--no-deps", *(pin for pin in PINS if not pin.startswith("#"))),
}
MOST, FEW = 30e6, 1e6  # bytes of text that we and datasketch read in a round


class Held:
    """A block that is parsed already."""

    def __init__(self, rows: pa.RecordBatch) -> None:
        self.rows = rows

    def batch(self, quarantine: Quarantine) -> pa.RecordBatch:
        return self.rows


def documents(location: str) -> pa.Table:
    """About as many as a round reads."""
    table = pa.Table.from_batches(read(location).batches(), SCHEMA)
    step = max(1, int(megabytes(table.column("text")) * 1e6 / MOST))
    return table.take(pa.array(range(0, table.num_rows, step))).combine_chunks()


def in_memory(table: pa.Table) -> Corpus:
    blocks = [Held(batch) for batch in table.to_batches(max_chunksize=BLOCK_ROWS // 4)]
    return Corpus("memory", "", [Part("0", lambda _: blocks)])


def write_lines(texts: pa.Array, file: Path) -> None:
    """The documents as all peers read them."""
    with gzip.open(file, "wt") as lines:
        for number, text in enumerate(texts.to_pylist()):
            lines.write(json.dumps({"id": str(number), "text": text}) + "\n")


def near_copies(corpus: Corpus) -> int:
    """How many documents share a band with another."""
    with TemporaryDirectory() as work:
        found = find(corpus, Near(PRESETS["hearth"]), Path(work), executor=Threads(1))
        clusters = found.clusters()
    return int(np.count_nonzero(np.bincount(clusters, minlength=len(clusters))[clusters] > 1))


def exact_copies(corpus: Corpus) -> int:
    """How many documents stood before."""
    with TemporaryDirectory() as work:
        return find(corpus, Exact(), Path(work), executor=Threads(1)).copies


def repeated_paragraphs(corpus: Corpus) -> int:
    """How many paragraphs stood before."""
    with TemporaryDirectory() as work:
        found = find_repeated(corpus, Paragraphs(), Path(work), executor=Threads(1))
        columns = [batch.column("seen").flatten() for f in found.files for batch in batches(f)]
        return sum(int(np.count_nonzero(column)) for column in columns)


@dataclass(frozen=True)
class Comparison:
    """What both sides do. A peer is asked `[file, *question]` and answers `[seconds, found]`."""

    work: str
    ours: Callable[[Corpus], int]
    peer: str
    question: tuple[object, ...] = ()
    from_file: bool = False
    goal: float = 2.0

    def row(self, corpus: Corpus, size: float, ask: Callable[[], list[float]]) -> Row:
        """What both find is printed, since it need not be the same."""
        print(f"{self.work}: {self.ours(corpus)} by ours, {ask()[1]} by {self.peer}", flush=True)
        speeds = alternate(
            lambda: size / seconds(lambda: self.ours(corpus)), lambda: size / ask()[0], rounds=3
        )
        return Row(self.work, "MB/s", *speeds, self.peer, self.goal)


COMPARISONS = (
    Comparison("near copies", near_copies, "rensa"),
    Comparison("near copies", near_copies, "text-dedup", goal=14.0),
    Comparison("exact copies, from a file", exact_copies, "dolma", ("exact", False), True),
    Comparison("paragraphs", repeated_paragraphs, "dolma", ("paragraphs", True)),
    Comparison(
        "paragraphs, from a file", repeated_paragraphs, "dolma", ("paragraphs", False), True
    ),
)


def by_datasketch(texts: list[str]) -> None:
    """Signatures with RedPajama-V2's words and SHA-1, which datasketch has by default."""
    for text in texts:
        words, _ = words_of(text)
        runs = {" ".join(words[i : i + 13]).encode() for i in range(len(words) - 12)}
        MinHash(num_perm=128).update_batch(runs)


def signature_row(texts: pa.Array) -> Row:
    few = thinned(texts, FEW)
    speeds = alternate(
        lambda: megabytes(texts) / seconds(lambda: signatures(texts, PRESETS["rpv2"])),
        lambda: megabytes(few) / seconds(lambda: by_datasketch(few.to_pylist())),
        rounds=3,
    )
    return Row("RedPajama-V2's signatures", "MB/s", *speeds, "datasketch", goal=5.0)


def main() -> None:
    if not native_available():
        raise SystemExit("The native extension is not built: install a C++ compiler, then again.")
    pythons = {name: peer_python(name, *packages) for name, packages in PEERS.items()}
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])  # the peers inherit it
    scripts = {name: HERE / f"_{name.replace('-', '_')}.py" for name in PEERS}
    peers = {name: peer_side(python, scripts[name]) for name, python in pythons.items()}
    table = documents(sys.argv[1] if len(sys.argv) > 1 else PACKAGES)
    texts, memory = table.column("text").combine_chunks(), in_memory(table)
    rows = [signature_row(texts)]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "texts.jsonl.gz"
        write_lines(texts, file)
        for comparison in COMPARISONS:
            corpus = read(str(file)) if comparison.from_file else memory
            ask = partial(peers[comparison.peer], str(file), *comparison.question)
            rows.append(comparison.row(corpus, megabytes(texts), ask))
    write("data_dedup", rows)


if __name__ == "__main__":
    main()
