"""The norm at the end of state spaces and delta rules, beside which stands a gate."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class GatedNorm(nn.Module):
    """norm(y) * silu(gate), or norm(y * silu(gate)) if `gate_first`, in the type of the gate.

    An RMS norm of each `size` neighbours by themselves; the weight, of [width], is fp32.
    """

    def __init__(self, width: int, size: int, eps: float, *, gate_first: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.size, self.eps, self.gate_first = size, eps, gate_first

    def forward(self, y: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        opened = F.silu(gate.float())
        wide = y.float() * opened if self.gate_first else y.float()
        parts = wide.unflatten(-1, (-1, self.size))
        normed = parts * torch.rsqrt(parts.square().mean(-1, keepdim=True) + self.eps)
        scaled = normed.flatten(-2) * self.weight
        return (scaled if self.gate_first else scaled * opened).to(gate.dtype)
