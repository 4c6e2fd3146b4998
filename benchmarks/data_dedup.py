"""De-duplication: signatures against datasketch, near copies against rensa, paragraphs against
rbloom.

`python benchmarks/data_dedup.py [DOCUMENTS]` takes any location that `hearth data read` takes. What
is measured begins with text in memory and ends with what is a copy; each side has one core. Ours
writes its keys and verdicts to disk, as it does with any corpus; the peers hold all in memory.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from _peers import peer_python, peer_side
from _results import Row, alternate, seconds, write
from _texts import PACKAGES
from datasketch import MinHash

from openhearth.data import native_available, read
from openhearth.data.dedup import PRESETS, Near, Paragraphs, find, find_repeated
from openhearth.data.dedup.minhash import signatures
from openhearth.data.dedup.tables import batches
from openhearth.data.executors import Threads
from openhearth.data.ngram_index import words_of
from openhearth.data.schema import BLOCK_ROWS, SCHEMA, Corpus, Part, Quarantine

PEERS = ("rensa==0.5.0", "rbloom==1.5.4")
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
    step = max(1, int(size(table) / MOST))
    return table.take(pa.array(range(0, table.num_rows, step))).combine_chunks()


def size(table: pa.Table) -> int:
    return sum(len(text.encode()) for text in table.column("text").to_pylist())


def in_memory(table: pa.Table) -> Corpus:
    blocks = [Held(batch) for batch in table.to_batches(max_chunksize=BLOCK_ROWS // 4)]
    return Corpus("memory", "", [Part("0", lambda _: blocks)])


def near_copies(corpus: Corpus) -> int:
    """How many documents share a band with another."""
    with TemporaryDirectory() as work:
        found = find(corpus, Near(PRESETS["hearth"]), Path(work), executor=Threads(1))
        clusters = found.clusters()
    return int(np.count_nonzero(np.bincount(clusters, minlength=len(clusters))[clusters] > 1))


def repeated_paragraphs(corpus: Corpus) -> int:
    """How many paragraphs stood before."""
    with TemporaryDirectory() as work:
        found = find_repeated(corpus, Paragraphs(), Path(work), executor=Threads(1))
        columns = [batch.column("seen").flatten() for f in found.files for batch in batches(f)]
        return sum(int(np.count_nonzero(column)) for column in columns)


def by_datasketch(texts: list[str]) -> None:
    """Signatures with RedPajama-V2's words and SHA-1, which datasketch has by default."""
    for text in texts:
        words, _ = words_of(text)
        runs = {" ".join(words[i : i + 13]).encode() for i in range(len(words) - 12)}
        MinHash(num_perm=128).update_batch(runs)


def main() -> None:
    if not native_available():
        raise SystemExit("The native extension is not built: install a C++ compiler, then again.")
    python = peer_python("rensa", *PEERS)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])  # the peer inherits it
    table = documents(sys.argv[1] if len(sys.argv) > 1 else PACKAGES)
    texts = table.column("text").combine_chunks()
    corpus, megabytes = in_memory(table), size(table) / 1e6
    few = texts.to_pylist()[:: max(1, int(megabytes * 1e6 / FEW))]
    share = sum(len(text.encode()) for text in few) / 1e6
    peer = peer_side(python, Path(__file__).with_name("_rensa.py"))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "texts.json"
        file.write_text(json.dumps(texts.to_pylist()))
        for work, ours in (("near", near_copies), ("paragraphs", repeated_paragraphs)):
            print(f"{work}: {ours(corpus):,} found by ours, {peer(work, str(file))[1]:,} by theirs")
        sketches = alternate(
            lambda: megabytes / seconds(lambda: signatures(texts, PRESETS["rpv2"])),
            lambda: share / seconds(lambda: by_datasketch(few)),
            rounds=3,
        )
        near = alternate(
            lambda: megabytes / seconds(lambda: near_copies(corpus)),
            lambda: megabytes / peer("near", str(file))[0],
            rounds=3,
        )
        paragraphs = alternate(
            lambda: megabytes / seconds(lambda: repeated_paragraphs(corpus)),
            lambda: megabytes / peer("paragraphs", str(file))[0],
            rounds=3,
        )
    rows = [
        Row("RedPajama-V2's signatures", "MB/s", *sketches, "datasketch", goal=5.0),
        Row("near copies", "MB/s", *near, "rensa", goal=2.0),
        Row("repeated paragraphs", "MB/s", *paragraphs, "rbloom", goal=2.0),
    ]
    write("data_dedup", rows)


if __name__ == "__main__":
    main()
