"""Paragraphs, the pieces between newlines, that stood before: Dolma's definition.

In the order of the documents, the first time that a paragraph occurs it stays. What Dolma leaves to
an option is fixed here: paragraphs without words are never repetitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from openhearth.data.ngram_index import Spans
from openhearth.data.signals.views import normalise
from openhearth.data.texts import buffers

try:
    import openhearth._native as _native
except ImportError:  # installed without a compiler
    _native = None

BLANK = 0  # the key of a paragraph without words


@dataclass(frozen=True)
class Paragraphs:
    """Keys of paragraphs: as they stand, or normalised, so that case, punctuation and spaces do not
    matter.
    """

    normalised: bool = False
    at_once: bool = False  # a paragraph may repeat one of its own document

    @property
    def name(self) -> str:
        """How a funnel calls it."""
        return "repeated lines" if self.normalised else "repeated paragraphs"

    def keys(self, texts: pa.Array, *, native: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """uint64: XXH64 of each paragraph; and where those of each text begin, int32 [n + 1]."""
        if native and _native:
            return _native.paragraph_keys(*buffers(texts), self.normalised)
        found = [self._keys(text) for text in texts.to_pylist()]
        offsets = np.cumsum([0, *map(len, found)], dtype=np.int32)
        return np.array([key for keys in found for key in keys], np.uint64), offsets

    def spans(self, texts: pa.Array, seen: np.ndarray) -> list[Spans]:
        """For each text where it has paragraphs that were seen, in characters, each with its
        newline. `seen`, bool, is of all of their keys.
        """
        found, begin = [], 0
        for text in texts.to_pylist():
            ends = list(accumulate(len(part) + 1 for part in text.split("\n"))) if text else []
            ends[-1:] = [end - 1 for end in ends[-1:]]  # no newline after the last
            here = np.flatnonzero(seen[begin : begin + len(ends)]).tolist()
            found.append([(ends[i - 1] if i else 0, ends[i]) for i in here])
            begin += len(ends)
        return found

    def settings(self) -> dict[str, Any]:
        """What makes its keys what they are."""
        return {"method": "paragraph", "normalised": self.normalised}

    def _keys(self, text: str | None) -> list[int]:
        parts = text.split("\n") if text else []
        return [_key(normalise(part) if self.normalised else part) for part in parts]


def _key(part: str) -> int:
    return xxhash.xxh64_intdigest(part.encode()) or 1 if part.strip() else BLANK
