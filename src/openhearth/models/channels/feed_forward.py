"""Feed-forward layers, each x [rows, width] -> [rows, width], chosen by name.

Gated: down(activation(gate(x)) * up(x)), Shazeer 2020, arXiv:2002.05202. Plain: down(activation(
up(x))); with squared ReLU, So et al. 2021, arXiv:2109.08668.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.models.channel_config import MLP, SwiGLU
from openhearth.models.linear import Linear
from openhearth.models.ragged import Ragged

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "relu2": lambda x: F.relu(x).square(),
}


class GatedFeedForward(nn.Module):
    """The layer of Llama and Gemma."""

    def __init__(self, config: SwiGLU, width: int) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]
        self.gate = Linear(width, config.hidden, bias=config.bias)
        self.up = Linear(width, config.hidden, bias=config.bias)
        self.down = Linear(config.hidden, width, bias=config.bias)

    def forward(self, x: torch.Tensor, batch: Ragged) -> torch.Tensor:
        return self.down(self.activation(self.gate(x, batch)) * self.up(x, batch), batch)


class FeedForward(nn.Module):
    """The layer of BERT and of Phi."""

    def __init__(self, config: MLP, width: int) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]
        self.up = Linear(width, config.hidden, bias=config.bias)
        self.down = Linear(config.hidden, width, bias=config.bias)

    def forward(self, x: torch.Tensor, batch: Ragged) -> torch.Tensor:
        return self.down(self.activation(self.up(x, batch)), batch)
