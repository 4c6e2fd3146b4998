"""Paragraphs, the pieces between newlines, that stood before: Dolma's definition.

In the order of the documents, the first time that a paragraph occurs it stays. What Dolma leaves to
an option is fixed here: paragraphs without words are never repetitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from openhearth.data.signals.views import normalise
from openhearth.data.texts import buffers

try:
    import openhearth._native as _native
except ImportError:  # installed without a compiler
    _native = None

BLANK = 0  # the key of a paragraph without words
NEWLINE = ord("\n")


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

    def cut(self, texts: pa.Array, seen: np.ndarray) -> tuple[pa.Array, np.ndarray]:
        """Texts without their paragraphs that were seen, each with its newline, and how many each
        text had, int64 [n]. `seen`, bool, is of all of their keys.
        """
        data, offsets = buffers(texts)
        data, offsets = data[offsets[0] : offsets[-1]], offsets - offsets[0]
        closes = offsets[1:][np.diff(offsets) > 0]
        ends = np.sort(np.concatenate([np.flatnonzero(data == NEWLINE) + 1, closes]))
        sizes = np.diff(ends, prepend=0)
        left = data[np.repeat(~seen, sizes)]
        # Before each text: how many paragraphs, and of what was seen how many and how many bytes. A
        # text that ends with a newline has an empty paragraph more, which ends there too.
        before = np.searchsorted(ends, offsets, "right")
        count = np.append(0, np.cumsum(seen))[before]
        gone = np.append(0, np.cumsum(np.where(seen, sizes, 0)))[before]
        places = pa.py_buffer((offsets - gone).astype(np.int32))
        cut = pa.StringArray.from_buffers(len(texts), places, pa.py_buffer(left))
        return cut, np.diff(count)

    def settings(self) -> dict[str, Any]:
        """What makes its keys what they are."""
        return {"method": "paragraph", "normalised": self.normalised}

    def _keys(self, text: str | None) -> list[int]:
        parts = text.split("\n") if text else []
        return [_key(normalise(part) if self.normalised else part) for part in parts]


def _key(part: str) -> int:
    return xxhash.xxh64_intdigest(part.encode()) or 1 if part.strip() else BLANK
