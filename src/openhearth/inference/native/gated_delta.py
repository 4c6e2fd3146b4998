"""Gated DeltaNet as operations: products, a convolution, the memory of each head, a gated norm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openhearth.inference.native import _engine
from openhearth.inference.native.adapters import filled
from openhearth.inference.native.weights import vector
from openhearth.models.mixer_config import GatedDelta

if TYPE_CHECKING:
    from openhearth.inference.native.lowering import Lowering, Norm, Out

EPS = 1e-6  # beside the square of a key's length


def gated_delta(low: Lowering, name: str, mixer: GatedDelta, norm: Norm | None, out: Out) -> None:
    """The layer's operations.

    Raises:
        NoKernel: its sizes are no multiples of what the kernels take at once.
    """
    low.check_panels(name, mixer.key_dim, mixer.value_dim)
    heads, keys, values = (
        mixer.heads,
        mixer.key_heads * mixer.key_dim,
        mixer.heads * mixer.value_dim,
    )
    columns = _columns(mixer)
    made = low.buffer("made", columns["a"] + filled(heads))
    kept = low.buffer("kept", mixer.convolved)
    rates = low.buffer("rates", 2 * filled(heads))
    mixed = low.buffer("mixed", values)
    places = {f"{name}.into.{parts}": _places(mixer, parts, columns) for parts in mixer.made}
    low.linear(list(places), low.x, norm, _engine.Use.STORE, made, bias=False, places=places)
    low.convolve(f"{name}.conv", made, 0, kept, bias=False, silu=True)
    _unit(low, kept, 0, mixer, mixer.key_dim**-0.5)
    _unit(low, kept, keys, mixer, 1.0)
    low.program.sigmoid(made, columns["b"], filled(heads), 2.0 if mixer.negative else 1.0)
    low.pace(name, made, columns["a"], rates)
    low.program.remember(
        kept,
        rates,
        made,
        heads=heads,
        groups=mixer.key_heads,
        keys=mixer.key_dim,
        values=mixer.value_dim,
        key=keys,
        query=0,
        value=2 * keys,
        decay=filled(heads),
        share=columns["b"],
        corrects=True,
        skip=None,
        states=low.state(heads * mixer.key_dim * mixer.value_dim),
        out=mixed,
    )
    weight = vector(low.weights, f"{name}.gated_norm.weight")
    eps = mixer.norm_eps or low.config.norm_eps
    low.program.norm_parts(mixed, 0, heads, 1, (weight, None, eps))
    low.program.gate(made, columns["z"], mixed)
    low.linear([f"{name}.out"], mixed, None, *out, bias=False)


def _columns(mixer: GatedDelta) -> dict[str, int]:
    """Where each part begins in the rows of what is made."""
    columns, end = {}, 0
    for part, size in mixer.sizes.items():
        columns[part] = end
        end += filled(mixer.key_heads * size)
    return columns


def _places(mixer: GatedDelta, parts: str, columns: dict[str, int]) -> tuple[np.ndarray, int]:
    """Where the outputs of a matrix stand behind those before it, and how much room they have."""
    first, heads = columns[parts[0]], np.arange(mixer.key_heads)[:, None]
    of_part = [
        columns[part] - first + heads * mixer.sizes[part] + np.arange(mixer.sizes[part])
        for part in parts
    ]
    last = parts[-1]
    room = columns[last] - first + filled(mixer.key_heads * mixer.sizes[last])
    if mixer.matrices == "by_head":
        return np.concatenate(of_part, axis=1).ravel(), room
    return np.concatenate([places.ravel() for places in of_part]), room


def _unit(low: Lowering, x: object, column: int, mixer: GatedDelta, length: float) -> None:
    """Give every head this length: the norm of its square's mean, over the root of its size."""
    size = mixer.key_dim
    weight = np.full(size, length * size**-0.5, np.float32)
    low.program.norm_parts(x, column, mixer.key_heads, 1, (weight, None, EPS / size))
