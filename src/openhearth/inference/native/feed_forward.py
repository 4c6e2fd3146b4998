"""Feed-forward layers as operations: what stands between the two products is done in the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openhearth.inference.native import _engine
from openhearth.models.channel_config import MLP, SwiGLU

if TYPE_CHECKING:
    from openhearth.inference.native.lowering import Lowering, Norm, Out


def swiglu(low: Lowering, name: str, channel: SwiGLU, norm: Norm | None, out: Out) -> None:
    """Gate and up in one product, which are multiplied at once; and the way back."""
    use = gated_use(channel.activation)
    hidden = low.buffer("hidden", channel.hidden)
    names = (f"{name}.gate", f"{name}.up")
    low.gated(names, low.x, norm, use, hidden, bias=channel.bias)
    low.linear([f"{name}.down"], hidden, None, *out, bias=channel.bias)


def mlp(low: Lowering, name: str, channel: MLP, norm: Norm | None, out: Out) -> None:
    """Up with its activation, and the way back."""
    uses = {
        "gelu": _engine.Use.GELU,
        "gelu_tanh": _engine.Use.GELU_TANH,
        "relu2": _engine.Use.RELU2,
    }
    use = uses[channel.activation]
    hidden = low.buffer("hidden", channel.hidden)
    low.linear([f"{name}.up"], low.x, norm, use, hidden, bias=channel.bias)
    low.linear([f"{name}.down"], hidden, None, *out, bias=channel.bias)


def gated_use(activation: str) -> Any:
    """What becomes of the products with a gate and with what it gates."""
    return {
        "silu": _engine.Use.SILU_PRODUCT,
        "gelu": _engine.Use.GELU_PRODUCT,
        "gelu_tanh": _engine.Use.GELU_TANH_PRODUCT,
    }[activation]
