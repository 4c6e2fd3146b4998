"""Attention as operations: one product for queries, keys and values, attention, and the way back.

Kernels take a head as two halves, which rotation turns together, each filled up with zeros to whole
registers: so heads may have any size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from openhearth.inference.native import NoKernel, _engine
from openhearth.inference.native.weights import vector
from openhearth.models.mixer_config import Attention
from openhearth.models.rope import Rope

if TYPE_CHECKING:
    from openhearth.inference.native.lowering import Lowering, Norm, Out

EVERYTHING = 2**31 - 1  # a window without end
LONGEST_HEAD = 512


def attention(low: Lowering, name: str, mixer: Attention, norm: Norm | None, out: Out) -> None:
    """The layer's operations.

    Raises:
        NoKernel: its heads are too long.
    """
    size, room = mixer.head_dim, _engine.room(mixer.head_dim)
    if room > LONGEST_HEAD:
        raise NoKernel(
            f"Heads of {size} numbers have no kernel, as they are longer than {LONGEST_HEAD}: use "
            "the torch executor."
        )
    width = (mixer.heads + 2 * mixer.kv_heads) * room
    qkv, mixed = low.buffer("qkv", width), low.buffer("mixed", mixer.heads * size)
    places = {
        f"{name}.q": _places(mixer.heads, halves(size), room),
        f"{name}.k": _places(mixer.kv_heads, halves(size), room),
        f"{name}.v": _places(mixer.kv_heads, np.arange(size), room),
    }
    low.linear(list(places), low.x, norm, _engine.Use.STORE, qkv, bias=mixer.bias, places=places)
    low.program.attend(
        qkv,
        queries=mixer.heads,
        keys=mixer.kv_heads,
        size=size,
        scale=mixer.scale or size**-0.5,
        window=mixer.window or EVERYTHING,
        causal=mixer.causal,
        query_norm=_head_norm(low, f"{name}.q_norm", size) if mixer.qk_norm else None,
        key_norm=_head_norm(low, f"{name}.k_norm", size) if mixer.qk_norm else None,
        angles=low.angles(Rope.of(mixer)),
        memory=low.memory(mixer),
        out=mixed,
    )
    low.linear([f"{name}.o"], mixed, None, *out, bias=mixer.output_bias)


def halves(size: int) -> np.ndarray:
    """Where the numbers of a head stand, its second half at the middle of the room for both."""
    number, half = np.arange(size), size // 2
    return np.where(number < half, number, _engine.room(size) // 2 + number - half)


def _places(heads: int, within: np.ndarray, room: int) -> tuple[np.ndarray, int]:
    """Where the outputs of a matrix stand that makes heads, and how many there are with zeros."""
    return (np.arange(heads)[:, None] * room + within).ravel(), heads * room


def _head_norm(low: Lowering, name: str, size: int) -> Any:
    """A norm over a head. Zeros count in the mean that the kernel takes, so the rest is scaled."""
    weight, share = vector(low.weights, f"{name}.weight"), size / _engine.room(size)
    filled = np.zeros(_engine.room(size), np.float32)
    filled[halves(size)] = weight * np.float32(share**0.5)
    return filled, None, low.config.norm_eps * share
