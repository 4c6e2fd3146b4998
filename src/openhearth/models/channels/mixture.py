"""A mixture of experts: each token goes through a few of many feed-forward layers.

The rows of a batch are sorted by expert, so that each expert is one product; no row is ever left
out, whatever the others choose, so that a token's result does not depend on its neighbours.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.models.channel_config import MoE, SwiGLU
from openhearth.models.channels.feed_forward import GatedFeedForward, gated
from openhearth.models.channels.routing import Router
from openhearth.models.linear import Linear
from openhearth.models.ragged import Ragged


class Experts(nn.Module):
    """Gated layers side by side: `gate` and `up` [experts, hidden, width], `down` the other way."""

    def __init__(self, config: MoE, width: int) -> None:
        super().__init__()
        self.config = config
        self.activation = config.activation
        inner = (config.experts, config.hidden, width)
        self.gate = nn.Parameter(torch.empty(inner), requires_grad=False)
        self.up = nn.Parameter(torch.empty(inner), requires_grad=False)
        down = torch.empty(config.experts, width, config.hidden)
        self.down = nn.Parameter(down, requires_grad=False)

    def forward(self, x: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """x [rows, width], chosen and weights [rows, active] -> [rows, width]."""
        experts = chosen.flatten()
        order = experts.argsort(stable=True)
        counts = experts.bincount(minlength=len(self.gate)).tolist()
        parts = x[order // chosen.shape[1]].split(counts)
        made = torch.cat([self._one(e, part) for e, part in enumerate(parts) if len(part)])
        apart = made[order.argsort()].view(*chosen.shape, -1)
        return (apart * weights[..., None]).sum(1).to(x.dtype)

    def _one(self, expert: int, x: torch.Tensor) -> torch.Tensor:
        gates, up = F.linear(x, self.gate[expert]), F.linear(x, self.up[expert])
        return F.linear(gated(self.activation, gates, up), self.down[expert])


class MixtureOfExperts(nn.Module):
    """x [rows, width] -> [rows, width]."""

    def __init__(self, config: MoE, width: int) -> None:
        super().__init__()
        self.router = Router(config, width)
        self.experts = Experts(config, width)
        self.shared = self.shared_gate = None
        if config.shared:
            wide = SwiGLU(hidden=config.shared, activation=config.activation)
            self.shared = GatedFeedForward(wide, width)
        if config.shared_gate:
            self.shared_gate = Linear(width, 1)

    def forward(self, x: torch.Tensor, batch: Ragged) -> torch.Tensor:
        made = self.experts(x, *self.router(x, batch))
        if self.shared is None:
            return made
        common = self.shared(x, batch)
        if self.shared_gate is not None:
            common = common * self.shared_gate(x, batch).sigmoid()
        return made + common
