"""rensa's side of `data_dedup.py`, in an environment of its own.

A line of JSON, `[file of documents]`, is answered by `[seconds, how many share a band with
another]`.
"""

from __future__ import annotations

import gzip
import json
import re
import string
import sys
import time
import unicodedata

from rensa import RMinHash, RMinHashLSH

WORDS, BANDS, ROWS = 5, 14, 9
PUNCTUATION = str.maketrans("", "", string.punctuation)


def near_copies(texts: list[str]) -> int:
    """Words and bands are those of our preset."""
    sets = []
    for text in texts:
        plain = re.sub(r"\s+", " ", text.translate(PUNCTUATION).lower())
        words = unicodedata.normalize("NFD", plain).split()
        if len(words) >= WORDS:
            sets.append([" ".join(words[i : i + WORDS]) for i in range(len(words) - WORDS + 1)])
    matrix = RMinHash.digest_matrix_from_token_sets(sets, num_perm=BANDS * ROWS, seed=42)
    index = RMinHashLSH(threshold=0.7, num_perm=BANDS * ROWS, num_bands=BANDS)
    return sum(index.query_duplicate_flags_matrix_one_shot(matrix))


for line in sys.stdin:
    (file,) = json.loads(line)
    with gzip.open(file) as lines:
        texts = [json.loads(document)["text"] for document in lines]
    start = time.perf_counter()
    count = near_copies(texts)
    print(json.dumps([time.perf_counter() - start, count]), flush=True)
