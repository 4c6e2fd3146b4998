"""Runs of n words that stood in earlier documents, as GPT-3 and RedPajama look for overlaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from openhearth.data.ngram_index import Spans, covered_spans, run_keys


@dataclass(frozen=True)
class Substrings:
    """Keys of runs of `n` normalised words. What a document repeats of itself stays."""

    n: int = 13
    at_once: bool = True

    @property
    def name(self) -> str:
        """How a funnel calls it."""
        return f"repeated runs of {self.n} words"

    def keys(self, texts: pa.Array, *, native: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """uint64: a hash of each run; and where those of each text begin, int32 [n + 1]."""
        return run_keys(texts, self.n, native=native)

    def cut(self, texts: pa.Array, seen: np.ndarray) -> tuple[pa.Array, np.ndarray]:
        """Texts without their runs that were seen, and how many stretches of them each text had,
        int64 [n]. `seen`, bool, is of all of their keys.
        """
        spans = covered_spans(texts, seen, self.n)
        counts = np.array([len(found) for found in spans], np.int64)
        rows = np.flatnonzero(counts)
        some = texts.take(pa.array(rows)).to_pylist()
        left = [_without(text, spans[i]) for text, i in zip(some, rows, strict=True)]
        return pc.replace_with_mask(texts, counts > 0, pa.array(left, texts.type)), counts

    def settings(self) -> dict[str, Any]:
        """What makes its keys what they are."""
        return {"method": "substring", "n": self.n}


def _without(text: str, spans: Spans) -> str:
    """A text without some spans of it."""
    kept, begin = [], 0
    for start, end in spans:
        kept.append(text[begin:start])
        begin = end
    return "".join([*kept, text[begin:]])
