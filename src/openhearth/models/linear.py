"""A matrix, and beside it the low-rank adapters that different rows of a batch may use.

LoRA: Hu et al. 2021, arXiv:2106.09685. The product of the two thin matrices is never formed, so
one copy of the weights serves every adapter.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.models.ragged import Ragged


class LowRank(nn.Module):
    """x [rows, in] -> scale * x A^T B^T [rows, out], with A [rank, in] and B [out, rank]."""

    def __init__(
        self, a: torch.Tensor, b: torch.Tensor, scale: float, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.a = nn.Parameter(a)
        self.b = nn.Parameter(b)
        self.scale = scale
        self.dropout = dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        thin = F.linear(x, self.a.to(x.dtype))
        return F.linear(thin, self.b.to(x.dtype)) * self.scale


class Linear(nn.Module):
    """y = x W^T + bias, plus what the adapter of each row adds. W [out, in] is frozen at first."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(outputs), requires_grad=False) if bias else None
        # A plain dictionary: adapters come and go, and are not weights of the model.
        self.adapters: dict[str, LowRank] = {}

    def new_low_rank(
        self, rank: int, scale: float, generator: torch.Generator, dropout: float = 0.0
    ) -> LowRank:
        """A fresh fp32 adapter for this matrix: A is random, B is zero, so that it adds nothing."""
        outputs, inputs = self.weight.shape
        bound = 1 / math.sqrt(inputs)
        a = torch.empty(rank, inputs).uniform_(-bound, bound, generator=generator)
        return LowRank(a, torch.zeros(outputs, rank), scale, dropout)

    def forward(self, x: torch.Tensor, batch: Ragged) -> torch.Tensor:
        y = F.linear(x, self.weight, self.bias)
        for rows, name in batch.routes:
            adapter = self.adapters.get(name)
            if adapter is None:
                continue
            if rows.stop - rows.start == len(x):
                y = y + adapter(self._thinned(x, adapter))
            else:
                y[rows] += adapter(self._thinned(x[rows], adapter))
        return y

    def _thinned(self, x: torch.Tensor, adapter: LowRank) -> torch.Tensor:
        """What an adapter sees: in training, without some of the numbers."""
        return F.dropout(x, adapter.dropout) if self.training and adapter.dropout else x
