"""Feed-forward layers as operations: what stands between the two products is done in the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhearth.inference.native import _engine
from openhearth.models.channel_config import MLP, SwiGLU

if TYPE_CHECKING:
    from openhearth.inference.native.lowering import Lowering, Norm, Out


def swiglu(low: Lowering, name: str, channel: SwiGLU, norm: Norm | None, out: Out) -> None:
    """Gate and up in one product, which are multiplied at once; and the way back."""
    uses = {"silu": _engine.Use.SILU_PRODUCT, "gelu_tanh": _engine.Use.GELU_PRODUCT}
    hidden = low.buffer("hidden", channel.hidden)
    names = (f"{name}.gate", f"{name}.up")
    low.gated(names, low.x, norm, uses[channel.activation], hidden, bias=channel.bias)
    low.linear([f"{name}.down"], hidden, None, *out, bias=channel.bias)


def mlp(low: Lowering, name: str, channel: MLP, norm: Norm | None, out: Out) -> None:
    """Up with its activation, and the way back."""
    uses = {"gelu": _engine.Use.GELU, "gelu_tanh": _engine.Use.GELU_TANH}
    hidden = low.buffer("hidden", channel.hidden)
    low.linear([f"{name}.up"], low.x, norm, uses[channel.activation], hidden, bias=True)
    low.linear([f"{name}.down"], hidden, None, *out, bias=True)
