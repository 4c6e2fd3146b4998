"""Weights from files into the layout of the kernels, packed there without a detour over fp32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gguf
import numpy as np

from openhearth.data.executors import default_threads
from openhearth.errors import CorruptArtifact, UsageError
from openhearth.inference.native import NoKernel, _engine
from openhearth.models.weights import Packed, Weights, packed_floats

TYPES = gguf.GGMLQuantizationType

# What becomes of a file's weights if nothing else is asked for. Q4_0, Q4_1, Q8_0, BF16 and F32 stay
# as they are, Q4_K but for its scales (root mean square 0.03 %); F16 loses 0.2 %, the others 0.5 %.
KEPT = {
    int(getattr(TYPES, name)): kept
    for kept, names in {
        "int4": ("Q4_0",),
        "int4-min": ("Q4_1", "Q4_K"),
        "int8": ("Q5_0", "Q5_1", "Q8_0", "Q5_K", "Q6_K"),
        "bfloat16": ("F16", "BF16"),
        "float32": ("F32",),
    }.items()
    for name in names
}
FORMATS = {  # by rising bits
    "int4": _engine.Format.INT4,
    "int4-min": _engine.Format.INT4_MIN,
    "int8": _engine.Format.INT8,
    "bfloat16": _engine.Format.BF16,
    "float32": _engine.Format.FP32,
}

MIXED = {"int4-head8": ("int4", "int8")}  # of the blocks, and of embedding and head


def rows_of(weights: Weights, name: str, inputs: int | None = None) -> Packed:
    """The matrix that we call `name`, in a type that the kernels take; if its rows are shorter than
    `inputs`, filled up with zeros.

    Raises:
        CorruptArtifact: it is missing or damaged.
    """
    packed = weights.packed(name)
    if inputs is not None and inputs_of(packed) != inputs:
        values = weights.values(name)
        return packed_floats(np.pad(values, ((0, 0), (0, inputs - values.shape[1]))))
    if packed.source in KEPT:
        return packed
    return Weights.packed(weights, name)


def inputs_of(rows: Packed) -> int:
    """Weights in a row."""
    return rows.data.shape[1] * 256 // _engine.row_bytes(rows.source, 256)


def format_of(rows: Sequence[Packed], dtype: str) -> Any:
    """The format of a matrix made of these parts: the one asked for, or by `auto` what holds all.

    Raises:
        UsageError: there is no such format.
    """
    if dtype == "auto":
        dtype = max((KEPT[part.source] for part in rows), key=list(FORMATS).index)
    if dtype not in FORMATS:
        known = ", ".join(["auto", *MIXED, *FORMATS])
        raise UsageError(f"dtype is {dtype!r}, but must be one of {known}.")
    return FORMATS[dtype]


def pack(
    name: str, rows: Sequence[Packed], places: Sequence[np.ndarray], outputs: int, dtype: str
) -> Any:
    """A matrix for the kernels, of several parts, whose rows go to those of its `outputs` that
    `places` say. The others are zero.

    Raises:
        CorruptArtifact: a weight is not a finite number.
        UsageError: the rows are too short to be cut into blocks.
    """
    inputs = inputs_of(rows[0])
    if inputs % _engine.BLOCK or any(inputs_of(part) != inputs for part in rows):
        raise NoKernel(
            f"The rows of {name} have {inputs} weights, no multiple of {_engine.BLOCK}: use the "
            "torch executor for this model."
        )
    matrix = _engine.Matrix(format_of(rows, dtype), outputs, inputs)
    for part, place in zip(rows, places, strict=True):
        try:
            matrix.fill(
                part.source, part.data, place[part.order].astype(np.int32), default_threads()
            )
        except ValueError as error:
            raise CorruptArtifact(f"{name} is damaged: {error}. Import the model again.") from error
    return matrix


def vector(weights: Weights, name: str) -> np.ndarray:
    """A norm's weights or a bias, fp32.

    Raises:
        CorruptArtifact: it is missing, damaged, or not finite.
    """
    values = weights.values(name)
    if not np.isfinite(values).all():
        raise CorruptArtifact(f"{name} has a weight that is no finite number: import it again.")
    return values
