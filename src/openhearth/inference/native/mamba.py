"""Mamba as operations: products, a convolution, the state space of each channel, and a gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openhearth.inference.native import _engine
from openhearth.inference.native.adapters import filled
from openhearth.inference.native.weights import vector
from openhearth.models.mixer_config import Mamba

if TYPE_CHECKING:
    from openhearth.inference.native.lowering import Lowering, Norm, Out


def mamba(low: Lowering, name: str, mixer: Mamba, norm: Norm | None, out: Out) -> None:
    """The layer's operations.

    Raises:
        NoKernel: its sizes are no multiples of what the kernels take at once.
    """
    inner, rank, numbers = mixer.inner, mixer.step_rank, mixer.state
    low.check_panels(name, inner, *([rank, numbers] if mixer.norms else []))
    # What is chosen: the step, written, read; the step's room is whole blocks for its matrix.
    thin = -(-rank // _engine.BLOCK) * _engine.BLOCK
    made, kept = low.buffer("made", 2 * inner), low.buffer("kept", inner)
    chosen, steps = low.buffer("chosen", thin + 2 * filled(numbers)), low.buffer("steps", inner)
    mixed = low.buffer("mixed", inner)
    low.linear([f"{name}.into"], low.x, norm, _engine.Use.STORE, made, bias=mixer.bias)
    low.convolve(f"{name}.recent.conv", made, 0, kept, bias=mixer.conv_bias, silu=True)
    places = np.concatenate([np.arange(rank), thin + np.arange(numbers)])
    places = np.append(places, thin + filled(numbers) + np.arange(numbers))
    chooses = {f"{name}.choose": (places, thin + 2 * filled(numbers))}
    low.linear(list(chooses), kept, None, _engine.Use.STORE, chosen, bias=False, places=chooses)
    if mixer.norms:
        columns = (0, thin, thin + filled(numbers))
        for i, column in enumerate(columns):
            weights = low.norm(f"{name}.norms.{i}")
            low.program.norm_parts(chosen, column, 1, 1, weights)
    size = [f"{name}.step_size"]
    low.linear(size, chosen, None, _engine.Use.STORE, steps, bias=False, inputs=rank)
    low.pace(name, steps, 0, steps, decays=False)
    low.program.scan(
        kept,
        steps,
        chosen,
        logs=np.ascontiguousarray(-np.exp(vector(low.weights, f"{name}.A_log").T)),
        skip=vector(low.weights, f"{name}.D"),
        write=thin,
        read=thin + filled(numbers),
        states=low.state(inner * numbers),
        out=mixed,
    )
    low.program.gate(made, inner, mixed)
    low.linear([f"{name}.out"], mixed, None, *out, bias=mixer.bias)
