"""Near duplicates: our MinHash with LSH against datasketch's, same shingles, same permutations."""

from __future__ import annotations

import numpy as np
from _results import Row, alternate, seconds, write
from _texts import texts
from datasketch import MinHash, MinHashLSH

from openhearth.data.dedup import BANDS, PERMUTATIONS, near_duplicates, shingles

SIMILARITY, WORDS = 0.8, 5


def by_datasketch(documents: list[str]) -> int:
    """How many documents have an earlier one like them."""
    index = MinHashLSH(params=BANDS[SIMILARITY], num_perm=PERMUTATIONS)
    found = 0
    for i, text in enumerate(documents):
        items = shingles(text, WORDS)
        if not items:
            continue
        signature = MinHash(num_perm=PERMUTATIONS)
        signature.update_batch([item.encode() for item in items])
        found += bool(index.query(signature))
        index.insert(i, signature)
    return found


def main() -> None:
    documents = texts()
    ours = np.count_nonzero(
        near_duplicates(documents, SIMILARITY, WORDS) != np.arange(len(documents))
    )
    peer = by_datasketch(documents)
    print(f"{ours} near duplicates by ours, {peer} by datasketch, of {len(documents)}")
    speeds = alternate(
        lambda: len(documents) / seconds(lambda: near_duplicates(documents, SIMILARITY, WORDS)),
        lambda: len(documents) / seconds(lambda: by_datasketch(documents)),
        rounds=3,
    )
    write("minhash", [Row("near duplicates of functions", "docs/s", *speeds, "datasketch", 1.0)])


if __name__ == "__main__":
    main()
