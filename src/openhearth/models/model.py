"""A model: embedding, blocks, a last norm, and a head. Built from its `ModelConfig` by name.

`forward` takes a flat batch (see `ragged`) and gives hidden states; `logits` is apart, because
training and decoding need it for few of the rows only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.models.attention import GroupedQueryAttention, KeyValues
from openhearth.models.config import Block, ModelConfig
from openhearth.models.linear import Linear, LowRank
from openhearth.models.ragged import Ragged
from openhearth.models.swiglu import GatedFeedForward

MIXERS = {"attention": GroupedQueryAttention}
CHANNELS = {"swiglu": GatedFeedForward}


class RMSNorm(nn.Module):
    """x / rms(x) * weight, over the last dimension. Zhang & Sennrich 2019, arXiv:1910.07467."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width), requires_grad=False)
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = x.float()
        normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return normed.to(x.dtype) * self.weight


class ResidualBlock(nn.Module):
    """x + mixer(norm(x)), then the same with the channel mixer."""

    def __init__(self, config: Block, width: int, eps: float) -> None:
        super().__init__()
        self.mixer_norm = RMSNorm(width, eps)
        self.mixer = MIXERS[config.mixer.name](config.mixer, width)
        self.channel_norm = RMSNorm(width, eps)
        self.channel = CHANNELS[config.channel.name](config.channel, width)

    def forward(self, x: torch.Tensor, batch: Ragged, state: KeyValues | None) -> torch.Tensor:
        x = x + self.mixer(self.mixer_norm(x), batch, state)
        return x + self.channel(self.channel_norm(x), batch)


class Model(nn.Module):
    """A language model whose weights are frozen; what trains are its adapters."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.width)
        self.embed.weight.requires_grad_(False)
        self.blocks = nn.ModuleList(
            ResidualBlock(block, config.width, config.norm_eps) for block in config.blocks
        )
        self.norm = RMSNorm(config.width, config.norm_eps)
        self.head = None if config.tied_head else Linear(config.width, config.vocab_size)

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights, and of the numbers between the layers."""
        return self.embed.weight.dtype

    @property
    def head_weight(self) -> torch.Tensor:
        """[vocab_size, width]: the embedding itself when the head is tied."""
        return self.embed.weight if self.head is None else self.head.weight

    def new_states(self, pages: int, page: int) -> list[KeyValues]:
        """One state per block, with room for `pages` times `page` tokens."""
        blocks = cast(Iterable[ResidualBlock], self.blocks)
        return [block.mixer.new_state(pages, page, self.dtype) for block in blocks]

    def bytes_per_token(self) -> int:
        """What the states hold of one token of one sequence."""
        return sum(KeyValues.bytes_per_token(b.mixer, self.dtype) for b in self.config.blocks)

    def forward(
        self, tokens: torch.Tensor, batch: Ragged, states: Sequence[KeyValues] | None = None
    ) -> torch.Tensor:
        """Token ids [rows] -> hidden states [rows, width], after the last norm."""
        x = self.embed(tokens)
        for i, block in enumerate(self.blocks):
            x = block(x, batch, None if states is None else states[i])
        return self.norm(x)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states [n, width] -> fp32 logits [n, vocab_size]."""
        return F.linear(hidden, self.head_weight).float()

    def linears(self) -> Iterator[tuple[str, Linear]]:
        """Every matrix of the blocks that can carry an adapter, with its path."""
        for name, module in self.named_modules():
            if isinstance(module, Linear) and name != "head":
                yield name, module

    def adapter(self, name: str) -> dict[str, LowRank]:
        """The low-rank pairs of one adapter, by the path of the matrix each belongs to."""
        return {p: m.adapters[name] for p, m in self.linears() if name in m.adapters}
