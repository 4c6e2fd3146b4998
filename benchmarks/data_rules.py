"""Rules: the verdicts of all seven sets from the text, against datatrove's filters for four.

`python benchmarks/data_rules.py [DOCUMENTS]` takes any location that `hearth data read` takes. What
is measured begins with text in memory and ends with verdicts; each side has one core.
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
from _texts import PACKAGES, megabytes, pieces, sample, thinned

from openhearth.data import load_rules
from openhearth.data.executors import Threads
from openhearth.data.filter import needed
from openhearth.data.schema import Quarantine, document, to_batch
from openhearth.data.signals import native_available, signal_table
from openhearth.data.verdicts import judge

SETS = (  # redpajama-v1 needs scores, which these documents do not have
    *("c4", "gopher-quality", "gopher-repetition", "fineweb"),  # datatrove has these
    *("refinedweb", "dolma", "redpajama-v1"),
)
RULES = {name: load_rules([name]) for name in SETS}
SIGNALS = needed([rule for rules in RULES.values() for rule in rules])
DATATROVE = ("datatrove==0.10.1", "spacy==3.8.18", "regex==2026.11.19")
MOST, FEW = 60e6, 500e3  # bytes of text that we and datatrove read in a round


def documents(texts: pa.Array) -> pa.RecordBatch:
    """As a step of the pipeline gets them."""
    return to_batch([document("", text, "") for text in texts.to_pylist()], Quarantine())


def kept(batch: pa.RecordBatch) -> dict[str, np.ndarray]:
    """What each set says of documents. Their signals are computed once, for all sets."""
    signals = signal_table(batch, SIGNALS)
    return {name: judge(signals, rules).kept for name, rules in RULES.items()}


def print_agreement(few: pa.Array, theirs: dict[str, list[bool]]) -> None:
    ours = kept(documents(few))
    for name, verdicts in theirs.items():
        same = np.mean(ours[name] == np.array(verdicts))
        print(f"  {name:<18} {100 * same:6.2f} % of {len(verdicts)} verdicts are datatrove's")


def main() -> None:
    if not native_available():
        raise SystemExit("The native extension is not built: install a C++ compiler, then again.")
    python = peer_python("datatrove", *DATATROVE)
    cores = sorted(os.sched_getaffinity(0))
    many = sample(sys.argv[1] if len(sys.argv) > 1 else PACKAGES, MOST)
    few = thinned(many, FEW)
    batches = [documents(piece) for piece in pieces(many)]

    def speed(count: int) -> float:
        os.sched_setaffinity(0, cores[:count])
        threads = Threads(count)
        return megabytes(many) / seconds(lambda: list(threads.map(kept, batches)))

    os.sched_setaffinity(0, cores[:1])  # the peer's process inherits it
    datatrove = peer_side(python, Path(__file__).with_name("_datatrove.py"))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "texts.json"
        file.write_text(json.dumps(few.to_pylist()))
        print_agreement(few, datatrove(str(file))[1])
        ours, theirs = alternate(
            lambda: speed(1), lambda: megabytes(few) / datatrove(str(file))[0], rounds=3
        )
    two, one = alternate(lambda: speed(2), lambda: speed(1), rounds=3)
    os.sched_setaffinity(0, cores)
    work = f"verdicts of {len(SETS)} rule sets"
    rows = [
        Row(f"{work}, one core", "MB/s", ours, theirs, "datatrove, four of them", goal=100.0),
        Row(f"{work}, two cores", "MB/s", two, one, "ours on one", goal=1.8),
    ]
    write("data_rules", rows)


if __name__ == "__main__":
    main()
