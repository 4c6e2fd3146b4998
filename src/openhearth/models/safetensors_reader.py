"""The container safetensors: tensors by name, memory-mapped. Nothing claimed is believed.

The format is in the README of the `safetensors` project: a length, a JSON header of so many bytes,
the data. The reader of its package has bfloat16 only with torch, which takes a second to import.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from openhearth.errors import CorruptArtifact

LENGTH_BYTES = 8
MOST_HEADER = 100_000_000  # bytes, as in the package
BF16 = "BF16"
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", BF16: "<i2", "I64": "<i8", "I32": "<i4"}


@dataclass(frozen=True)
class Tensor:
    """`data` has the tensor's shape; of bfloat16 it holds the bits, as int16."""

    dtype: str
    data: np.ndarray

    def values(self) -> np.ndarray:
        """Its numbers, fp32."""
        if self.dtype != BF16:
            return self.data.astype(np.float32)
        return (self.data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, whose data is read when it is used; writing to it changes no file.

    Raises:
        CorruptArtifact: it is damaged or cut short.
    """
    try:
        file = np.asarray(np.memmap(path, np.uint8, "c"))
        size = int.from_bytes(file[:LENGTH_BYTES].tobytes(), "little")
        start = LENGTH_BYTES + size
        if size > MOST_HEADER or start > len(file):
            raise ValueError("its header ends early")
        header = json.loads(file[LENGTH_BYTES:start].tobytes())
        header.pop("__metadata__", None)
        return {name: _tensor(file[start:], **entry) for name, entry in header.items()}
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise CorruptArtifact(
            f"The weights in {path.name} are damaged or cut short ({error}): download them again."
        ) from error


def _tensor(
    data: np.ndarray, dtype: str, shape: Sequence[int], data_offsets: Sequence[int]
) -> Tensor:
    begin, end = data_offsets
    number = np.dtype(DTYPES[dtype])
    if not 0 <= begin <= end <= len(data) or end - begin != math.prod(shape) * number.itemsize:
        raise ValueError(f"a tensor of {shape} lies between {begin} and {end}")
    return Tensor(dtype, data[begin:end].view(number).reshape(shape))
