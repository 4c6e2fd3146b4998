"""RWKV-7's time mixing as operations: mixtures with the token before, products, and the memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from openhearth.inference.native import _engine
from openhearth.inference.native.weights import vector
from openhearth.models.mixer_config import RWKV7

if TYPE_CHECKING:
    from openhearth.inference.native.lowering import Lowering, Norm, Out


def rwkv7(low: Lowering, name: str, mixer: RWKV7, norm: Norm | None, out: Out) -> None:
    """The layer's operations.

    Raises:
        NoKernel: its heads are no multiple of what the kernels take at once.
    """
    heads, size, inner = mixer.heads, mixer.head_dim, mixer.heads * mixer.head_dim
    low.check_panels(name, size)
    # Side by side what is asked, decays, keys, values, rates, and what will be taken out.
    made, gate = low.buffer("made", 6 * inner), low.buffer("gate", inner)
    mixed, weights = low.buffer("mixed", inner), low.weights
    asked, decay, key, value, rate, gated = _shifted(low, name, norm)
    for i, part, x in ((0, "r", asked), (2, "k", key), (3, "v", value)):
        names, use = [f"{name}.{part}"], _engine.Use.STORE
        low.linear(names, x, None, use, made, bias=False, column=i * inner)
    low.program.cap(_down(low, f"{name}.decay", decay, mixer.decay_rank), 1.0)
    _up(low, f"{name}.decay", mixer.decay_rank, made, inner)
    _down(low, f"{name}.rate", rate, mixer.rate_rank)
    _up(low, f"{name}.rate", mixer.rate_rank, made, 4 * inner)
    thin = _down(low, f"{name}.gate", gated, mixer.gate_rank)
    low.program.sigmoid(thin, 0, thin.width, 1.0)
    _up(low, f"{name}.gate", mixer.gate_rank, gate, 0)
    known = ("decay_bias", "rate_bias", "taken_scale", "key_rate")
    channels = _engine.Channels(
        heads,
        *(vector(weights, f"{name}.{part}") for part in known),
        vector(weights, f"{name}.bonus").ravel(),
    )
    low.program.replace(made, channels, low.state(inner * size), mixed)
    weight, bias = (vector(weights, f"{name}.head_norm.{part}") for part in ("weight", "bias"))
    low.program.norm_parts(mixed, 0, heads, heads, (weight, bias, size * 1e-5))
    low.program.bonus(made, gate, channels, mixed)
    low.linear([f"{name}.out"], mixed, None, *out, bias=False)


def _shifted(low: Lowering, name: str, norm: Norm | None) -> list[Any]:
    """Six mixtures of each token with the one before it."""
    shares = vector(low.weights, f"{name}.before")
    outs = [low.buffer(f"shifted {i}", low.config.width) for i in range(len(shares))]
    low.program.shift(low.normed(norm), shares, low.state(low.config.width), outs)
    return outs


def _thin(low: Lowering, rank: int) -> Any:
    """Whole blocks for the numbers between two matrices."""
    return low.buffer("thin", -(-rank // _engine.BLOCK) * _engine.BLOCK)


def _down(low: Lowering, name: str, x: Any, rank: int) -> Any:
    """The first of two matrices with few numbers between them, which come back."""
    thin = _thin(low, rank)
    places = {f"{name}.down": (np.arange(rank), thin.width)}
    low.linear(list(places), x, None, _engine.Use.STORE, thin, bias=False, places=places)
    return thin


def _up(low: Lowering, name: str, rank: int, out: Any, column: int) -> None:
    """The second."""
    thin, use = _thin(low, rank), _engine.Use.STORE
    low.linear([f"{name}.up"], thin, None, use, out, bias=False, inputs=rank, column=column)
