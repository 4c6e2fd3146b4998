"""The container GGUF: metadata by name, and where the tensors are. Nothing claimed is believed.

The format is `docs/gguf.md` of the `ggml` project, versions 2 and 3, little-endian. The reader of
the `gguf` package makes several objects of each word of a vocabulary, a quarter of a minute for a
large one, and reads lengths beyond the end of the file until memory is gone.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

MAGIC, VERSIONS, ALIGNMENT = b"GGUF", (2, 3), 32
SCALARS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
STRING, ARRAY = 8, 9
MOST_ITEMS = 8_000_000  # in an array; a vocabulary of 256,000 words has half a million merges
MOST_DIMENSIONS = 4
PLAIN = {"F64": "f8", "F32": "f4", "F16": "f2", "I8": "i1", "I16": "i2", "I32": "i4", "I64": "i8"}


@dataclass(frozen=True)
class Tensor:
    """`data` [outermost, …, innermost], the last in bytes if the type packs numbers into blocks."""

    tensor_type: gguf.GGMLQuantizationType
    data: np.ndarray


class Header:
    """What a file says before its data.

    Raises:
        ValueError, struct.error: it is no GGUF file, ends early, or claims what cannot be.
    """

    def __init__(self, path: Path) -> None:
        self._bytes, self._at = np.memmap(path, mode="r").data, 0
        if self._take(4) != MAGIC:
            raise ValueError("it does not begin with GGUF")
        if (version := self._scalar("I")) not in VERSIONS:
            raise ValueError(f"its version is {version}")
        tensors, fields = self._scalar("Q"), self._scalar("Q")
        self.fields: dict[str, Any] = {}
        for _ in range(fields):
            name = self._string()
            self.fields[name] = self._value(self._scalar("I"))
        found = [(self._string(), *self._tensor_info()) for _ in range(tensors)]
        alignment = self.fields.get("general.alignment", ALIGNMENT)
        start = math.ceil(self._at / alignment) * alignment
        self.tensors = {n: self._tensor(shape, kind, start + at) for n, shape, kind, at in found}

    def _take(self, count: int) -> memoryview:
        part = self._bytes[self._at : self._at + count]
        if len(part) != count:
            raise ValueError("it ends early")
        self._at += count
        return part

    def _scalar(self, code: str) -> Any:
        (value,) = struct.unpack_from("<" + code, self._bytes, self._at)
        self._at += struct.calcsize("<" + code)
        return value

    def _string(self) -> str:
        return str(self._take(self._scalar("Q")), "utf-8")

    def _value(self, kind: int) -> Any:
        if kind == STRING:
            return self._string()
        if kind != ARRAY:
            return self._scalar(_code(kind))
        item, count = self._scalar("I"), self._scalar("Q")
        if count > MOST_ITEMS:
            raise ValueError("its header is larger than any model's")
        if item == STRING:
            return [self._string() for _ in range(count)]
        code = "<" + _code(item)
        return np.frombuffer(self._take(count * struct.calcsize(code)), code).tolist()

    def _tensor_info(self) -> tuple[list[int], int, int]:
        """Shape, type, and where its data begins."""
        dimensions = self._scalar("I")
        if dimensions > MOST_DIMENSIONS:
            raise ValueError(f"a tensor has {dimensions} dimensions")
        shape = [self._scalar("Q") for _ in range(dimensions)][::-1]
        return shape, self._scalar("I"), self._scalar("Q")

    def _tensor(self, shape: list[int], kind: int, at: int) -> Tensor:
        type_ = gguf.GGMLQuantizationType(kind)
        numbers, size = gguf.GGML_QUANT_SIZES[type_]
        if type_.name in PLAIN:
            dtype = np.dtype("<" + PLAIN[type_.name])
        else:
            if shape[-1] % numbers:
                raise ValueError(f"rows of {shape[-1]} numbers are not whole blocks")
            dtype, shape = np.dtype("u1"), [*shape[:-1], shape[-1] // numbers * size]
        self._at = at
        flat = np.frombuffer(self._take(math.prod(shape) * dtype.itemsize), dtype)
        return Tensor(type_, flat.reshape(shape))


def _code(kind: int) -> str:
    if kind not in SCALARS:
        raise ValueError(f"it has a value of type {kind}, which there is not")
    return SCALARS[kind]
