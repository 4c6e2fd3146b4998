"""Which type of numbers each tensor of a GGUF file gets, and tensors in these types.

Names and choices are llama.cpp's: below eight bits the head keeps six, `Q4_K_M` gives six bits to
some of the matrices that suffer most, and rows that are no whole blocks get a type with shorter
ones. Norms and biases are fp32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import gguf
import numpy as np

from openhearth.errors import UsageError
from openhearth.models.config import ModelConfig
from openhearth.models.k_quants import K_QUANTS, quantize

KINDS = ("F32", "F16", "Q8_0", "Q6_K", "Q5_1", "Q5_0", "Q4_K_M", "Q4_1", "Q4_0")
"""What a file can be, by falling bits."""
QUANTISED = KINDS[2:]
SHORTER = {"Q4_K": "Q5_0", "Q6_K": "Q8_0"}  # 32 numbers a block instead of 256
LARGEST = float(np.finfo(np.float16).max)
SENSITIVE = ("mixer.v.weight", "channel.down.weight")


@dataclass(frozen=True)
class Choice:
    """A tensor's type, and the one that it would have if its rows were whole blocks of that."""

    kind: str
    wanted: str

    def bytes(self, shape: Sequence[int]) -> int:
        """What a tensor of this shape takes."""
        numbers, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[self.kind]]
        return prod(shape) // numbers * size


def check_kind(kind: str) -> None:
    """Raises:
    UsageError: there is no such kind of file.
    """
    if kind not in KINDS:
        raise UsageError(f"The type is {kind!r}, but must be one of {', '.join(KINDS)}.")


def choose(name: str, shape: Sequence[int], kind: str, config: ModelConfig) -> Choice:
    """For the tensor that we call `name`, in a file of this kind."""
    if len(shape) == 1:
        return Choice("F32", "F32")
    wanted = _wanted(name, kind, config)
    fitting = (k for k in (wanted, SHORTER.get(wanted, wanted)) if _fits(k, shape[-1]))
    return Choice(next(fitting, "F16"), wanted)


def pack(name: str, values: np.ndarray, kind: str) -> np.ndarray:
    """fp32 [..., n] in a type: numbers, or the bytes [..., bytes] of blocks.

    Raises:
        UsageError: a number is beyond those that have sixteen bits, as scales do.
    """
    values = np.ascontiguousarray(values, np.float32)
    if kind != "F32" and (largest := float(np.abs(values).max())) > LARGEST:
        raise UsageError(
            f"{name} has a number of {largest:.3g}, which is too large for {kind}: write F32."
        )
    if kind in K_QUANTS:
        return quantize(values, kind)
    return gguf.quantize(values, gguf.GGMLQuantizationType[kind])


def _wanted(name: str, kind: str, config: ModelConfig) -> str:
    is_head = name == ("embed.weight" if config.tied_head else "head.weight")
    if is_head and kind in KINDS[KINDS.index("Q6_K") :]:
        return "Q6_K"
    if kind != "Q4_K_M":
        return kind
    return "Q6_K" if name.endswith(SENSITIVE) and _gets_more(name, len(config.blocks)) else "Q4_K"


def _gets_more(name: str, blocks: int) -> bool:
    """Those of the first eighth and the last, and of every third block between."""
    number, eighth = int(name.split(".")[1]), blocks // 8
    return number < eighth or number >= 7 * blocks // 8 or (number - eighth) % 3 == 2


def _fits(kind: str, numbers: int) -> bool:
    return numbers % gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]][0] == 0
