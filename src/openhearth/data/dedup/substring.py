"""Runs of n words that stood in earlier documents, as GPT-3 and RedPajama look for overlaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

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

    def spans(self, texts: pa.Array, seen: np.ndarray) -> list[Spans]:
        """For each text where it has runs that were seen, in characters; those that touch are one
        span. `seen`, bool, is of all of their keys.
        """
        return covered_spans(texts, seen, self.n)

    def settings(self) -> dict[str, Any]:
        """What makes its keys what they are."""
        return {"method": "substring", "n": self.n}
