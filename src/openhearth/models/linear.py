"""A matrix, and beside it the low-rank adapters that different rows of a batch may use.

LoRA: Hu et al. 2021, arXiv:2106.09685. The sum of matrix and adapter is never kept, so one copy of
the weights serves every adapter.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.models.ragged import Ragged


class LowRank(nn.Module):
    """Adds scale * x A^T B^T [rows, out] of x [rows, in], with A [rank, in] and B [out, rank].

    With `magnitude` [out], fp32, the rows of W + scale * B A then get these lengths, where W is the
    matrix beside which it stands (DoRA, Liu et al. 2024, arXiv:2402.09353).
    """

    gains: torch.Tensor | None

    def __init__(
        self,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
        dropout: float = 0.0,
        magnitude: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self.a = nn.Parameter(a)
        self.b = nn.Parameter(b)
        self.magnitude = None if magnitude is None else nn.Parameter(magnitude)
        self.scale = scale
        self.dropout = dropout
        self.register_buffer("gains", None)

    def frozen(self, weight: torch.Tensor) -> LowRank:
        """The same, which will not train any more, so that gains can be kept."""
        self.requires_grad_(False)
        self.gains = self.gains_on(weight)
        return self

    def gains_on(self, weight: torch.Tensor) -> torch.Tensor | None:
        """By what each output of W and of the pair together is multiplied [out], if it is."""
        if self.magnitude is None or self.gains is not None:
            return self.gains
        return self.magnitude / self.lengths_on(weight)

    @torch.no_grad()
    def lengths_on(self, weight: torch.Tensor) -> torch.Tensor:
        """Of the rows of W + scale * B A, fp32 [out]: to gradients constants (section 4.3)."""
        matrix = weight.to(self.b.device, torch.float32)
        summed = torch.addmm(matrix, self.b.float(), self.a.float(), alpha=self.scale)
        return summed.norm(dim=1)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """What it adds to y [rows, out], added."""
        thin = F.linear(x, self.a.to(x.dtype)) * self.scale
        return torch.addmm(y, thin, self.b.to(x.dtype).T)


class Linear(nn.Module):
    """y = x W^T + bias, plus what the adapter of each row adds. W [out, in] is frozen at first."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(outputs), requires_grad=False) if bias else None
        # A plain dictionary: adapters come and go, and are not weights of the model.
        self.adapters: dict[str, LowRank] = {}

    def new_low_rank(
        self,
        rank: int,
        scale: float,
        generator: torch.Generator,
        dropout: float = 0.0,
        *,
        dora: bool = False,
    ) -> LowRank:
        """A fresh fp32 adapter for this matrix: A is random, B is zero, so that it adds nothing; by
        `dora` with the lengths that rows have.
        """
        outputs, inputs = self.weight.shape
        bound = 1 / math.sqrt(inputs)
        a = torch.empty(rank, inputs).uniform_(-bound, bound, generator=generator)
        pair = LowRank(a, torch.zeros(outputs, rank), scale, dropout)
        if dora:
            pair.magnitude = nn.Parameter(pair.lengths_on(self.weight))
        return pair

    def forward(self, x: torch.Tensor, batch: Ragged) -> torch.Tensor:
        y = F.linear(x, self.weight, self.bias)
        for rows, name in batch.routes:
            adapter = self.adapters.get(name)
            if adapter is None:
                continue
            if rows.stop - rows.start == len(x):
                y = self._adapted(x, y, adapter)
            else:
                y[rows] = self._adapted(x[rows], y[rows], adapter)
        return y

    def _adapted(self, x: torch.Tensor, y: torch.Tensor, adapter: LowRank) -> torch.Tensor:
        """What an adapter makes of y, from x, of which it misses some numbers in training."""
        y = adapter(F.dropout(x, adapter.dropout) if self.training and adapter.dropout else x, y)
        gains = adapter.gains_on(self.weight)
        if gains is None:
            return y
        kept = 0.0 if self.bias is None else self.bias * (1 - gains)
        return (y * gains + kept).to(y.dtype)
