"""All signals from text, against RedPajama-V2's own code, which must give the same values.

`python benchmarks/data_signals.py REDPAJAMA [DOCUMENTS]`: the first is a clone of
github.com/togethercomputer/RedPajama-Data, since no registry has it; without one, the peer is the
plain Python definition. What is measured begins with text in memory; each side has one core.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from _peers import peer_python, peer_side
from _results import Row, alternate, seconds, write
from _texts import PACKAGES, megabytes, pieces, sample, thinned

from openhearth.data import compute
from openhearth.data.executors import Threads
from openhearth.data.signals import Lists, native_available

PEER = (
    *("nltk==3.9.1", "numpy==1.26.4", "scipy==1.13.1", "msgspec==0.22.0", "pyarrow==17.0.0"),
    "typing_extensions==4.16.0",
)
ASKED = ("rps", "oh")
MOST, FEW = 60e6, 500e3  # bytes of text that we and the peer read in a round


def values_of(table: pa.Table, name: str) -> list[list[float | None]]:
    """For each document the values of a signal, one or one a line."""
    return [v if isinstance(v, list) else [v] for v in table.column(name).to_pylist()]


def print_agreement(
    few: pa.Array, theirs: list[dict[str, list[list[float]]]], lists: Lists
) -> None:
    ours = compute(few, ("rps",), lists={"en": lists})
    worst, count = 0.0, 0
    # Its stop words are a list of its own.
    names = {n for n in ours.column_names if n.startswith("rps_")} - {"rps_doc_stop_word_fraction"}
    for name in sorted(names):
        for mine, record in zip(values_of(ours, name), theirs, strict=True):
            for one, (_, _, other) in zip(mine, record[name], strict=False):
                count += 1
                if (one is None) != (other is None):
                    raise SystemExit(f"{name} is {one}, but RedPajama's is {other}.")
                worst = max(worst, abs((one or 0.0) - (other or 0.0)))
    print(f"  {count} values of {len(few)} documents, at most {worst:.1e} apart")


def peer(clone: Path | None, few: pa.Array, folder: Path) -> Callable[[], float]:
    """The seconds that the peer takes for some documents."""
    if clone is None:
        return lambda: seconds(lambda: compute(few, ASKED, native=False))
    lists = folder / "lists"
    lists.mkdir()
    (lists / "en.txt").write_text("bad\nworse\n")
    (lists / "domain_to_category_id.json").write_text("{}")
    python = peer_python("redpajama", *PEER)
    script = Path(__file__).with_name("_redpajama.py")
    theirs = peer_side(python, script, str(clone / "app" / "src"), str(lists))
    file = folder / "texts.json"
    file.write_text(json.dumps(few.to_pylist()))
    print_agreement(few, theirs(str(file))[1], Lists(bad_words=frozenset({"bad", "worse"})))
    return lambda: theirs(str(file))[0]


def main() -> None:
    if not native_available():
        raise SystemExit("The native extension is not built: install a C++ compiler, then again.")
    clone = Path(sys.argv[1]) if sys.argv[1:] else None
    cores = sorted(os.sched_getaffinity(0))
    many = sample(sys.argv[2] if sys.argv[2:] else PACKAGES, MOST)
    few = thinned(many, FEW)
    parts = pieces(many)
    data = many.buffers()[2]

    def speed(count: int) -> float:
        os.sched_setaffinity(0, cores[:count])
        work = Threads(count).map(lambda part: compute(part, ASKED), parts)
        return megabytes(many) / seconds(lambda: list(work))

    os.sched_setaffinity(0, cores[:1])  # the peer's process inherits it
    with TemporaryDirectory() as folder:
        theirs = peer(clone, few, Path(folder))
        measured = alternate(lambda: speed(1), lambda: megabytes(few) / theirs(), rounds=3)
    two, one = alternate(lambda: speed(2), lambda: speed(1), rounds=3)
    reading = megabytes(many) / seconds(lambda: np.frombuffer(data, np.uint8).sum(dtype=np.int64))
    os.sched_setaffinity(0, cores)
    name = "RedPajama-V2's own code" if clone else "plain Python"
    write(
        "data_signals",
        [
            Row("all signals, one core", "MB/s", *measured, name, goal=50.0),
            Row("all signals, two cores", "MB/s", two, one, "ours on one", goal=1.8),
            Row("reading the text from memory", "MB/s", measured[0], reading, "a sum", goal=0.0),
        ],
    )


if __name__ == "__main__":
    main()
