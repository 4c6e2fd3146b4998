"""Exact copies: texts with the same 128 bits of BLAKE2b, as they stand or normalised."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from openhearth.data.signals.views import normalise
from openhearth.data.texts import buffers

try:
    import openhearth._native as _native
except ImportError:  # installed without a compiler
    _native = None

BYTES = 16


@dataclass(frozen=True)
class Exact:
    """Copies have the same text, or normalised text."""

    normalised: bool = False
    name: str = "exact duplicates"
    words: int = 2

    def keys(self, texts: pa.Array) -> pa.ListArray:
        """One key a document."""
        flat = digests(texts, normalised=self.normalised).reshape(-1)
        offsets = np.arange(0, len(flat) + 1, 2, dtype=np.int32)
        return pa.ListArray.from_arrays(offsets, flat)

    def settings(self) -> dict[str, Any]:
        """What makes its keys what they are."""
        return {"method": "exact", "normalised": self.normalised}


def digests(texts: pa.Array, *, normalised: bool, native: bool = True) -> np.ndarray:
    """uint64 [n, 2]: a hash of each text. Those of two texts are equal by mistake once in 2^128.

    Normalised, as RedPajama-V2 does it, texts are equal up to case, punctuation and spaces.
    """
    if normalised and not (native and _native):
        plain = [normalise(text or "") for text in texts.to_pylist()]
        texts = pa.array(plain, pa.large_string())
    data, offsets = buffers(texts)
    if normalised and native and _native:
        data, offsets = _native.normalise(data, offsets)
    whole, places = data.data, offsets.tolist()
    found = bytearray()
    for begin, end in pairwise(places):
        found += hashlib.blake2b(whole[begin:end], digest_size=BYTES).digest()
    return np.frombuffer(found, "<u8").reshape(-1, 2)
