"""An Arrow array of texts as the native kernels take it: not copied."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def buffers(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of texts, uint8, and where each begins, int32 or int64 [n + 1]; null is empty."""
    if texts.null_count:
        texts = pc.fill_null(texts, "")
    wide = texts.type == pa.large_string()
    _, offsets, data = (texts if wide else texts.cast(pa.string())).buffers()
    if not offsets:  # of an array without texts
        return np.empty(0, np.uint8), np.zeros(1, np.int32)
    places = np.frombuffer(offsets, np.int64 if wide else np.int32)
    begin = texts.offset
    return np.frombuffer(data or b"", np.uint8), places[begin : begin + len(texts) + 1]
