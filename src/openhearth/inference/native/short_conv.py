"""The gated short convolution as operations: a product for gates and input, then the filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhearth.inference.native import _engine
from openhearth.models.mixer_config import ShortConv

if TYPE_CHECKING:
    from openhearth.inference.native.lowering import Lowering, Norm, Out


def short_conv(low: Lowering, name: str, mixer: ShortConv, norm: Norm | None, out: Out) -> None:
    """The layer's operations: out(after * conv(before * x))."""
    width = low.config.width
    made, mixed = low.buffer("made", 3 * width), low.buffer("mixed", width)
    low.linear([f"{name}.into"], low.x, norm, _engine.Use.STORE, made, bias=mixer.bias)
    low.convolve(f"{name}.conv", made, 2 * width, mixed, before=0, after=width, bias=mixer.bias)
    low.linear([f"{name}.out"], mixed, None, *out, bias=mixer.bias)
