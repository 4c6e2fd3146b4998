"""The channel mixer of M2-BERT: a gated feed-forward layer whose matrices are block-diagonal.

Fu et al. 2023, arXiv:2310.12109, github.com/HazyResearch/m2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.errors import UsageError
from openhearth.models.channel_config import MonarchMLP
from openhearth.models.ragged import Ragged


class BlockLinear(nn.Module):
    """x [rows, in] -> [rows, out], with a matrix of its own for each part of x. Frozen.

    `weight` is [blocks, out / blocks, in / blocks].
    """

    def __init__(self, inputs: int, outputs: int, blocks: int, *, bias: bool) -> None:
        super().__init__()
        shape = (blocks, outputs // blocks, inputs // blocks)
        self.weight = nn.Parameter(torch.empty(shape), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(outputs), requires_grad=False) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = x.unflatten(-1, (len(self.weight), -1)).transpose(0, 1)
        y = torch.bmm(parts, self.weight.mT).transpose(0, 1).flatten(1)
        return y if self.bias is None else y + self.bias


class MonarchFeedForward(nn.Module):
    """x [rows, width] -> [rows, width]: down(gelu(g) * u), where g and u are the halves of up(x),
    so that the first blocks make gates and the others what passes them."""

    def __init__(self, config: MonarchMLP, width: int) -> None:
        super().__init__()
        if width % config.blocks:
            raise UsageError(
                f"monarch_mlp: {config.blocks} blocks do not divide a width of {width} evenly."
            )
        self.up = BlockLinear(width, 2 * config.hidden, config.blocks, bias=False)
        self.down = BlockLinear(config.hidden, width, config.blocks, bias=True)

    def forward(self, x: torch.Tensor, batch: Ragged) -> torch.Tensor:
        gate, up = self.up(x).chunk(2, dim=-1)
        return self.down(F.gelu(gate) * up)
