"""text-dedup's side of `data_dedup.py`, its command, in an environment of its own.

A line of JSON, `[file of documents]`, is answered by `[seconds, how many share a band with
another]`. The seconds are those that it counts itself for its signatures and clusters: reading,
filtering and saving are left out.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from tempfile import TemporaryDirectory

os.environ |= dict.fromkeys(
    ("HF_HUB_OFFLINE", "HF_DATASETS_DISABLE_PROGRESS_BARS", "TQDM_DISABLE"), "1"
)

from text_dedup import minhash

STAGES = ("MinHashing", "Clustering")


class Kept(minhash.Timer):
    """The timer of the last run."""

    times: dict[str, float]

    def __init__(self) -> None:
        super().__init__()
        Kept.times = self.elapsed_times


def near_copies(file: str, work: str) -> int:
    """Words and bands are those of our preset; all else is as it comes."""
    words = "--ngram 5 --num_perm 128 --b 14 --r 9 --num_proc 1 --path json --split train"
    files = ["--column", "text", "--data_files", file, "--cache_dir", work, "--output", f"{work}/o"]
    minhash.main([*words.split(), *files], standalone_mode=False)
    clusters = Counter(minhash.uf.find(document) for document in list(minhash.uf.parent))
    return sum(count for count in clusters.values() if count > 1)


minhash.Timer = Kept
logging.disable()  # it would write between the answers
for line in sys.stdin:
    (file,) = json.loads(line)
    with TemporaryDirectory() as work:
        count = near_copies(file, work)
    print(json.dumps([sum(Kept.times[stage] for stage in STAGES), count]), flush=True)
