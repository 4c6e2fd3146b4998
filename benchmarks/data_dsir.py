"""DSIR: importance weights from text, against data-selection's of the same documents.

`python benchmarks/data_dsir.py [DOCUMENTS [TARGET]]` takes any locations that `hearth data read`
takes. What is measured begins with text in memory; each side has one core. With data-selection's
features our weights are its weights, which is checked first; the speed is that of our own features.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import orjson
import pyarrow as pa
from _peers import peer_python, peer_side
from _results import Row, alternate, seconds, write
from _texts import PACKAGES, megabytes, pieces, sample, thinned

from openhearth.data.select import FEATURES, LowerWords, RawWords, fit
from openhearth.data.signals import native_available
from openhearth.data.signals.compute import Weights

PEER = ("data-selection==1.0.3", "nltk==3.9.1")  # nltk 3.10 splits words in another way
TARGET = "python:networkx"
MOST, FEW = 24e6, 1e6  # bytes of text that we and the peer read in a round


def weigh(features: RawWords | LowerWords, parts: list[pa.Array], weights: Weights) -> np.ndarray:
    """float64 [n]: each text's log-importance."""
    found = [features.importance(part, weights)[0][:, 0] for part in parts]
    return np.concatenate(found)


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of ranks."""
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


def print_agreement(source: pa.Array, target: pa.Array, theirs: np.ndarray) -> None:
    for name, kind in FEATURES.items():
        features = kind()
        weights = fit({name: features.count(target)}, features.count(source))
        ours = weigh(features, [source], weights)
        same, apart = spearman(ours, theirs), np.abs(ours - theirs).max()
        print(
            f"  features {name:<6} against theirs: Spearman {same:.6f}, {apart:.1e} apart at most"
        )


def main() -> None:
    if not native_available():
        raise SystemExit("The native extension is not built: install a C++ compiler, then again.")
    python = peer_python("data-selection", *PEER)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])  # the peer's process inherits it
    peer = peer_side(python, Path(__file__).with_name("_data_selection.py"))
    location, wanted = *sys.argv[1:], *(PACKAGES, TARGET)[len(sys.argv) - 1 :]
    many, target = sample(location, MOST), sample(wanted, FEW)
    few, parts = thinned(many, FEW), pieces(many)
    features = RawWords()
    weights = fit({"target": features.count(target)}, features.count(many))
    with TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("source.jsonl", "target.jsonl")]
        for path, array in zip(paths, (few, target), strict=True):
            lines = [orjson.dumps({"text": text}) + b"\n" for text in array.to_pylist()]
            Path(path).write_bytes(b"".join(lines))
        print_agreement(few, target, np.array(peer(*paths)[2]))
        weighing = alternate(
            lambda: megabytes(many) / seconds(lambda: weigh(features, parts, weights)),
            lambda: megabytes(few) / peer(*paths)[1],
            rounds=3,
        )
        counting = alternate(
            lambda: megabytes(many) / seconds(lambda: features.count(many)),
            lambda: (megabytes(few) + megabytes(target)) / peer(*paths)[0],
            rounds=3,
        )
    rows = [
        Row("importance of documents, one core", "MB/s", *weighing, "data-selection", goal=10.0),
        Row("features counted, one core", "MB/s", *counting, "data-selection", goal=5.0),
    ]
    write("data_dsir", rows)


if __name__ == "__main__":
    main()
