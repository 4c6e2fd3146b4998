"""Feed-forward layers as operations: what stands between the two products is done in the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openhearth.inference.native import NoKernel, _engine
from openhearth.models.channel_config import MLP, SwiGLU

if TYPE_CHECKING:
    from openhearth.inference.native.lowering import Lowering, Norm, Out


def swiglu(low: Lowering, name: str, channel: SwiGLU, norm: Norm | None, out: Out) -> None:
    """Gate and up in one product, which are multiplied at once; and the way back."""
    uses = {"silu": _engine.Use.SILU_PRODUCT, "gelu_tanh": _engine.Use.GELU_PRODUCT}
    use = _use(uses, channel.activation)
    hidden = low.buffer("hidden", channel.hidden)
    names = (f"{name}.gate", f"{name}.up")
    low.gated(names, low.x, norm, use, hidden, bias=channel.bias)
    low.linear([f"{name}.down"], hidden, None, *out, bias=channel.bias)


def mlp(low: Lowering, name: str, channel: MLP, norm: Norm | None, out: Out) -> None:
    """Up with its activation, and the way back."""
    uses = {"gelu": _engine.Use.GELU, "gelu_tanh": _engine.Use.GELU_TANH}
    use = _use(uses, channel.activation)
    hidden = low.buffer("hidden", channel.hidden)
    low.linear([f"{name}.up"], low.x, norm, use, hidden, bias=channel.bias)
    low.linear([f"{name}.down"], hidden, None, *out, bias=channel.bias)


def _use(uses: dict[str, Any], activation: str) -> Any:
    """Raises:
    NoKernel: there is none with this activation.
    """
    if activation not in uses:
        raise NoKernel(f"Layers with {activation} have no kernel yet: use the torch executor.")
    return uses[activation]
