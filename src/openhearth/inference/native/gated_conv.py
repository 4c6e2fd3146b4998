"""StripedHyena's gated convolution as operations: a product, a short filter, then the modes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openhearth.inference.native import _engine
from openhearth.inference.native.weights import vector
from openhearth.models.mixer_config import GatedConv

if TYPE_CHECKING:
    from openhearth.inference.native.lowering import Lowering, Norm, Out


def gated_conv(low: Lowering, name: str, mixer: GatedConv, norm: Norm | None, out: Out) -> None:
    """The layer's operations.

    Raises:
        NoKernel: the model's width is no multiple of what the kernels take at once.
    """
    width = low.config.width
    low.check_panels(name, width)
    # In the file channels are gates, ones and others of a head; in our rows all of a kind together.
    order = np.arange(3 * width).reshape(mixer.heads, 3, -1).swapaxes(0, 1).ravel()
    made, kept = low.buffer("made", 3 * width), low.buffer("kept", 3 * width)
    mixed = low.buffer("mixed", width)
    into = {f"{name}.into": (order.argsort(), 3 * width)}
    use = _engine.Use.STORE
    low.linear(list(into), low.x, norm, use, made, bias=mixer.bias, places=into)
    low.convolve(f"{name}.conv", made, 0, kept, bias=mixer.bias, order=order)
    low.program.ring(
        kept,
        poles=_complex(low, f"{name}.poles"),
        residues=_complex(low, f"{name}.residues"),
        direct=vector(low.weights, f"{name}.direct"),
        gate=0,
        one=width,
        other=2 * width,
        states=low.state(2 * mixer.modes * width),
        out=mixed,
    )
    low.linear([f"{name}.out"], mixed, None, *out, bias=mixer.bias)


def _complex(low: Lowering, name: str) -> np.ndarray:
    """[width, modes, 1, 2] as the kernels take it, [modes * 2, width]."""
    values = vector(low.weights, name)
    return np.ascontiguousarray(values.reshape(len(values), -1).T)
