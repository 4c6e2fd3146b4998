"""Feed-forward layers, each x [rows, width] -> [rows, width], chosen by name.

Gated: down(activation(gate(x)) * up(x)), Shazeer 2020, arXiv:2002.05202. Plain: down(activation(
up(x))); with squared ReLU, So et al. 2021, arXiv:2109.08668.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from openhearth.models import fused
from openhearth.models.channel_config import MLP, SwiGLU
from openhearth.models.linear import Linear
from openhearth.models.ragged import Ragged

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "relu2": lambda x: F.relu(x).square(),
}


class SiluProduct(torch.autograd.Function):
    """silu(gates) * up. For backward it keeps these two alone."""

    @staticmethod
    def forward(ctx: Any, gates: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(gates, up)
        return fused.gate(gates, up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return fused.gate_back(outer[0], *ctx.saved_tensors)


def gated(activation: str, gates: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """activation(gates) * up."""
    if activation == "silu" and fused.serve(gates, up):
        return SiluProduct.apply(gates, up)
    return ACTIVATIONS[activation](gates) * up


class GatedFeedForward(nn.Module):
    """The layer of Llama and Gemma."""

    def __init__(self, config: SwiGLU, width: int) -> None:
        super().__init__()
        self.activation = config.activation
        self.gate = Linear(width, config.hidden, bias=config.bias)
        self.up = Linear(width, config.hidden, bias=config.bias)
        self.down = Linear(config.hidden, width, bias=config.bias)

    def forward(self, x: torch.Tensor, batch: Ragged) -> torch.Tensor:
        return self.down(gated(self.activation, self.gate(x, batch), self.up(x, batch)), batch)


class FeedForward(nn.Module):
    """The layer of BERT and of Phi."""

    def __init__(self, config: MLP, width: int) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]
        self.up = Linear(width, config.hidden, bias=config.bias)
        self.down = Linear(config.hidden, width, bias=config.bias)

    def forward(self, x: torch.Tensor, batch: Ragged) -> torch.Tensor:
        return self.down(self.activation(self.up(x, batch)), batch)
