"""rensa's and rbloom's side of `data_dedup.py`, in an environment of their own.

A line of JSON, `[work, file of texts]`, is answered by `[seconds, how many were found]`.
"""

from __future__ import annotations

import json
import re
import string
import sys
import time
import unicodedata
from pathlib import Path

from rbloom import Bloom
from rensa import RMinHash, RMinHashLSH

WORDS, BANDS, ROWS = 5, 14, 9
PUNCTUATION = str.maketrans("", "", string.punctuation)


def near_copies(texts: list[str]) -> int:
    """How many texts share a band with another; words and bands are those of our preset."""
    sets = []
    for text in texts:
        plain = re.sub(r"\s+", " ", text.translate(PUNCTUATION).lower())
        words = unicodedata.normalize("NFD", plain).split()
        if len(words) >= WORDS:
            sets.append([" ".join(words[i : i + WORDS]) for i in range(len(words) - WORDS + 1)])
    matrix = RMinHash.digest_matrix_from_token_sets(sets, num_perm=BANDS * ROWS, seed=42)
    index = RMinHashLSH(threshold=0.7, num_perm=BANDS * ROWS, num_bands=BANDS)
    return sum(index.query_duplicate_flags_matrix_one_shot(matrix))


def repeated_paragraphs(texts: list[str]) -> int:
    """How many paragraphs stood before."""
    bloom = Bloom(sum(text.count("\n") + 1 for text in texts), 1e-3)
    found = 0
    for text in texts:
        for paragraph in text.split("\n"):
            if paragraph.strip():
                found += paragraph in bloom
                bloom.add(paragraph)
    return found


for line in sys.stdin:
    work, file = json.loads(line)
    documents = json.loads(Path(file).read_text())
    start = time.perf_counter()
    count = (near_copies if work == "near" else repeated_paragraphs)(documents)
    print(json.dumps([time.perf_counter() - start, count]), flush=True)
