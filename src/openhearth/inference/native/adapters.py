"""Adapters beside the matrices of a program: never merged, so that each row has its own."""

from __future__ import annotations

from collections.abc import Mapping
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
class Product:
    """A product of the program, and the parts of which its matrix is made. Rows of so many `inputs`
    may be filled up with zeros.
    """

    linear: Any
    parts: list[Part]
    inputs: int


def filled(outputs: int) -> int:
    """So many outputs with those that fill up the last panel."""
    return -(-outputs // _engine.PANEL) * _engine.PANEL


def alternating(outputs: int) -> list[np.ndarray]:
    """Where the outputs of two matrices stand that alternate, a panel each."""
    number = np.arange(outputs)
    place = number // _engine.PANEL * 2 * _engine.PANEL + number % _engine.PANEL
    return [place, place + _engine.PANEL]


Pairs = Mapping[str, tuple[np.ndarray, np.ndarray]]  # A [rank, in], B [out, rank], scaled, by name


@dataclass(frozen=True)
class Adapter:
    """What an adapter adds to each product, ready for the kernels. `rank` is the largest."""

    products: list[tuple[Any, Any]]
    rank: int

    @property
    def bytes(self) -> int:
        """What it takes of memory."""
        return sum(low_rank.bytes for _, low_rank in self.products)

    def attach(self, number: int) -> None:
        """Let rows of this number use it. Only between two steps."""
        for linear, low_rank in self.products:
            linear.adapt(number, low_rank)

    def detach(self, number: int) -> None:
        """Take it from its products. Only between two steps."""
        for linear, _ in self.products:
            linear.forget(number)


def pack_pairs(products: list[Product], pairs: Pairs) -> Adapter:
    """An adapter of its pairs, which are finite; at any time, by any thread."""
    added, largest = [], 0
    for product in products:
        found = [(part, *pairs[part.name]) for part in product.parts if part.name in pairs]
        if not found:
            continue
        outputs, inputs = product.linear.matrix.shape
        a = np.concatenate([a for _, a, _ in found]).astype(np.float32)
        a = np.pad(a, ((0, 0), (0, inputs - product.inputs)))
        b = np.zeros((outputs, len(a)), np.float32)
        column = 0
        for part, thin, wide in found:
            b[part.places, column : column + len(thin)] = wide
            column += len(thin)
        kind = product.linear.matrix.format
        whole = kind in (_engine.Format.FP32, _engine.Format.BF16)
        matrix = _engine.Matrix(kind if whole else _engine.Format.INT8, *a.shape)
        matrix.fill(F32, a.view(np.uint8), np.arange(len(a), dtype=np.int32))
        added.append((product.linear, _engine.LowRank(matrix, b)))
        largest = max(largest, filled(len(a)))
    return Adapter(added, largest)
