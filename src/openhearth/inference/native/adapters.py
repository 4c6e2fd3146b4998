"""Adapters beside the matrices of a program: never merged, so that each row has its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from openhearth.inference.native import _engine

F32 = 0


@dataclass(frozen=True)
class Part:
    """A matrix of the model within one of the program: where each of its outputs stands."""

    name: str
    places: np.ndarray


@dataclass(frozen=True)
class Slot:
    """A product of the program, and the parts of which its matrix is made."""

    linear: Any
    parts: list[Part]


def filled(outputs: int) -> int:
    """So many outputs with those that fill up the last panel."""
    return -(-outputs // _engine.PANEL) * _engine.PANEL


Pairs = dict[str, tuple[np.ndarray, np.ndarray]]  # A [rank, in] and B [out, rank], scaled, by name


def adapt(slots: list[Slot], number: int, pairs: Pairs) -> int:
    """Put an adapter's pairs on their products; the largest rank that came of it."""
    largest = 0
    for slot in slots:
        found = [(part, *pairs[part.name]) for part in slot.parts if part.name in pairs]
        if not found:
            continue
        a = np.concatenate([a for _, a, _ in found]).astype(np.float32)
        b = np.zeros((slot.linear.matrix.shape[0], len(a)), np.float32)
        column = 0
        for part, thin, wide in found:
            b[part.places, column : column + len(thin)] = wide
            column += len(thin)
        kind = slot.linear.matrix.format
        whole = kind in (_engine.Format.FP32, _engine.Format.BF16)
        matrix = _engine.Matrix(kind if whole else _engine.Format.INT8, *a.shape)
        matrix.fill(F32, a.view(np.uint8), np.arange(len(a), dtype=np.int32))
        slot.linear.adapt(number, matrix, b)
        largest = max(largest, filled(len(a)))
    return largest
