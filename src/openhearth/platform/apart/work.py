"""What is asked of a process, and how its answer is framed."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import orjson

HEADER = struct.Struct("<BQ")  # which answer it is, and its bytes
DONE, REFUSED, BROKEN, TOO_MUCH = range(4)
LARGEST = 64 * 2**20  # bytes of an answer
MOST_MEMORY = 8 * 2**30  # bytes: a part of a model that is written as one has 5 GB


@dataclass(frozen=True)
class Work:
    """A function `module:name` that makes bytes of arguments as JSON has them."""

    function: str
    arguments: dict[str, Any]
    seconds: float
    memory: int  # bytes

    @classmethod
    def of(cls, function: Callable[..., bytes], arguments: dict[str, Any], seconds: float) -> Work:
        """A call of a function of a module, in so much time and as much memory as there may be."""
        return cls(
            f"{function.__module__}:{function.__qualname__}", arguments, seconds, most_memory()
        )

    def line(self) -> bytes:
        """As it is sent."""
        return orjson.dumps(asdict(self)) + b"\n"


def most_memory() -> int:
    """Bytes that a piece of work may take here: half of the machine's, if that is less."""
    return min(MOST_MEMORY, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)
