"""Mamba-2 as operations: one product, a convolution, the memory of each head, and a gated norm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhearth.inference.native import _engine
from openhearth.inference.native.adapters import filled
from openhearth.inference.native.weights import vector
from openhearth.models.mixer_config import Mamba2

if TYPE_CHECKING:
    from openhearth.inference.native.lowering import Lowering, Norm, Out


def mamba2(low: Lowering, name: str, mixer: Mamba2, norm: Norm | None, out: Out) -> None:
    """The layer's operations.

    Raises:
        NoKernel: its sizes are no multiples of what the kernels take at once.
    """
    inner, heads, written = mixer.inner, mixer.heads, mixer.groups * mixer.state
    low.check_panels(name, mixer.head_dim, written, inner // mixer.norm_groups)
    steps = inner + mixer.convolved
    made = low.buffer("made", steps + filled(heads))
    kept = low.buffer("kept", mixer.convolved)
    rates = low.buffer("rates", 2 * filled(heads))
    mixed = low.buffer("mixed", inner)
    low.linear([f"{name}.into"], low.x, norm, _engine.Use.STORE, made, bias=mixer.bias)
    low.convolve(f"{name}.conv", made, inner, kept, bias=mixer.conv_bias, silu=True)
    low.pace(name, made, steps, rates, least=mixer.least_step, most=mixer.most_step)
    low.program.remember(
        kept,
        rates,
        rates,
        heads=heads,
        groups=mixer.groups,
        keys=mixer.state,
        values=mixer.head_dim,
        key=inner,
        query=inner + written,
        value=0,
        decay=filled(heads),
        share=0,
        corrects=False,
        skip=vector(low.weights, f"{name}.D"),
        states=low.state(inner * mixer.state),
        out=mixed,
    )
    low.program.gate(made, 0, mixed)
    weight = vector(low.weights, f"{name}.gated_norm.weight")
    groups = mixer.norm_groups
    low.program.norm_parts(mixed, 0, groups, groups, (weight, None, low.config.norm_eps))
    low.linear([f"{name}.out"], mixed, None, *out, bias=mixer.bias)
