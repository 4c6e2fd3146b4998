"""Freed memory that stays with the process while it trains.

The C library gives large blocks back to the system as soon as they are freed, and the system hands
out zeroed pages one by one when they are touched again. A step frees and takes the same blocks over
and over, and would spend a tenth of its time so (docs/log.md).

oneDNN keeps what it made for each shape of a product, half a megabyte each, for a thousand shapes,
and almost every micro-batch has others. It reads how many to keep when it is first used.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# Of <malloc.h>, with their defaults as mallopt(3) tells them.
TRIM_THRESHOLD, MMAP_MAX = -1, -4
DEFAULTS = {TRIM_THRESHOLD: 128 * 1024, MMAP_MAX: 65536}
NEVER_TRIM, NO_MMAP = -1, 0

os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")  # about those of one micro-batch


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep what is freed until the end, then give it back. Only glibc can be told so."""
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(TRIM_THRESHOLD, NEVER_TRIM)
    libc.mallopt(MMAP_MAX, NO_MMAP)
    try:
        yield
    finally:
        for name, value in DEFAULTS.items():
            libc.mallopt(name, value)
        libc.malloc_trim(0)
