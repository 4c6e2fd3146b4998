"""GGUF's own reader, kept within the file and within bounds.

The reader of the `gguf` package believes every length in the header: a claimed array of 2^50
numbers after the end of the file is read, as nothing, 2^50 times, until memory is gone.
"""

from __future__ import annotations

from typing import Any

import gguf

MOST_READS = 8_000_000  # a vocabulary of 256,000 words with its merges takes two million


class BoundedReader(gguf.GGUFReader):
    """Reads what is there, and no more than `MOST_READS` values.

    Raises:
        ValueError: the file ends before a value does, or its header is larger than any model's.
    """

    def __init__(self, path: Any) -> None:
        self._reads = 0
        super().__init__(path)

    def _get(self, offset: int, dtype: Any, count: int = 1, override_order: Any = None) -> Any:
        self._reads += 1
        if self._reads > MOST_READS:
            raise ValueError("its header is larger than any model's")
        found = super()._get(offset, dtype, count, override_order)
        if len(found) != int(count):
            raise ValueError("it ends early")
        return found
