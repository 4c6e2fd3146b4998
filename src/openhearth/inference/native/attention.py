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
        NoKernel: its heads are too long, or their scores are changed.
    """
    _refuse_what_has_no_kernel(mixer)
    size, room = mixer.head_dim, _engine.room(mixer.head_dim)
    width = (mixer.heads + 2 * mixer.kv_heads) * room
    qkv, mixed = low.buffer("qkv", width), low.buffer("mixed", mixer.heads * size)
    inner = halves(size, mixer.rotated)
    places = {
        f"{name}.q": _places(mixer.heads, inner, room),
        f"{name}.k": _places(mixer.kv_heads, inner, room),
        f"{name}.v": _places(mixer.kv_heads, np.arange(size), room),
    }
    low.linear(list(places), low.x, norm, _engine.Use.STORE, qkv, bias=mixer.bias, places=places)
    by_head = mixer.qk_norm is True
    if mixer.qk_norm == "joint":
        queries = places[f"{name}.q"][1]
        for part, column in (("q", 0), ("k", queries)):
            weights = _norm(low, f"{name}.{part}_norm", *places[f"{name}.{part}"])
            low.program.norm_parts(qkv, column, 1, 1, weights)
    low.program.attend(
        qkv,
        queries=mixer.heads,
        keys=mixer.kv_heads,
        size=size,
        scale=mixer.scale or size**-0.5,
        window=mixer.window or EVERYTHING,
        causal=mixer.causal,
        query_norm=_norm(low, f"{name}.q_norm", inner, room) if by_head else None,
        key_norm=_norm(low, f"{name}.k_norm", inner, room) if by_head else None,
        angles=low.angles(Rope.of(mixer), room),
        memory=low.memory(mixer),
        out=mixed,
    )
    low.linear([f"{name}.o"], mixed, None, *out, bias=mixer.output_bias)


def _refuse_what_has_no_kernel(mixer: Attention) -> None:
    if _engine.room(mixer.head_dim) > LONGEST_HEAD:
        what = f"Heads of {mixer.head_dim} numbers, longer than {LONGEST_HEAD},"
    elif mixer.softcap is not None:
        what = "Scores with a soft cap"
    elif mixer.sinks:
        what = "Scores for nothing (sinks)"
    elif mixer.gated:
        what = "Gates behind the queries"
    elif mixer.window is not None and not mixer.causal:
        what = "Windows on both sides"
    else:
        return
    raise NoKernel(f"{what} have no kernel yet: use the torch executor.")


def halves(size: int, rotated: int) -> np.ndarray:
    """Where the numbers of a head stand, the second of each pair at the middle of the room for all.

    Those behind the `rotated` ones make pairs too, which are turned by nothing.
    """
    number, middle = np.arange(size), _engine.room(size) // 2
    rest = number - rotated  # of the numbers that do not rotate
    turned = np.where(number < rotated // 2, number, middle + number - rotated // 2)
    more = (size - rotated) // 2
    still = rotated // 2 + np.where(rest < more, rest, middle + rest - more)
    return np.where(number < rotated, turned, still)


def _places(heads: int, within: np.ndarray, room: int) -> tuple[np.ndarray, int]:
    """Where the outputs of a matrix stand that makes heads, and how many there are with zeros."""
    return (np.arange(heads)[:, None] * room + within).ravel(), heads * room


def _norm(low: Lowering, name: str, places: np.ndarray, room: int) -> Any:
    """A norm over numbers that stand at these places among zeros. Those count in the mean that the
    kernel takes, so the rest is scaled.
    """
    weight, share = vector(low.weights, f"{name}.weight"), len(places) / room
    filled = np.zeros(room, np.float32)
    filled[places] = weight * np.float32(share**0.5)
    return filled, None, low.config.norm_eps * share
