"""The gated feed-forward layer: down(silu(gate(x)) * up(x)). Shazeer 2020, arXiv:2002.05202."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.models.config import SwiGLU
from openhearth.models.linear import Linear
from openhearth.models.ragged import Ragged


class GatedFeedForward(nn.Module):
    """x [rows, width] -> [rows, width]."""

    def __init__(self, config: SwiGLU, width: int) -> None:
        super().__init__()
        self.gate = Linear(width, config.hidden)
        self.up = Linear(width, config.hidden)
        self.down = Linear(config.hidden, width)

    def forward(self, x: torch.Tensor, batch: Ragged) -> torch.Tensor:
        return self.down(F.silu(self.gate(x, batch)) * self.up(x, batch), batch)
