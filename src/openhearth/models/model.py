"""A model: embedding, blocks, a last norm, and a head. Built from its `ModelConfig` by name.

`forward` takes a flat batch (see `ragged`) and gives hidden states; `logits` is apart, because
training and decoding need it for few of the rows only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import torch
from torch import nn

from openhearth.models.channels.registry import CHANNELS
from openhearth.models.config import Block, ModelConfig
from openhearth.models.linear import Linear, LowRank
from openhearth.models.mixers.attention import KeyValues
from openhearth.models.mixers.recurrent import Slots
from openhearth.models.mixers.registry import MIXERS
from openhearth.models.norm import RMS_NORMS
from openhearth.models.ragged import Ragged
from openhearth.models.unembedding import Unembedding

State = KeyValues | Slots


class ResidualBlock(nn.Module):
    """A sequence mixer and a channel mixer in the residual stream, with norms as `norms` says."""

    def __init__(self, config: Block, model: ModelConfig, *, with_norm: bool = True) -> None:
        super().__init__()
        self.norms = config.norms or model.norms
        is_before, is_after = self.norms != "after", self.norms in ("after", "sandwich")
        self.mixer_norm = _norm(model) if with_norm and is_before else nn.Identity()
        self.mixer = MIXERS[config.mixer.name](config.mixer, model.width, model.norm_eps)
        self.mixer_post_norm = _norm(model) if is_after else nn.Identity()
        self.channel = None
        if config.channel is not None:
            is_before = is_before and self.norms != "parallel"
            self.channel_norm = _norm(model) if is_before else nn.Identity()
            self.channel = CHANNELS[config.channel.name](config.channel, model.width)
            self.channel_post_norm = _norm(model) if is_after else nn.Identity()

    def forward(self, x: torch.Tensor, batch: Ragged, state: State | None) -> torch.Tensor:
        if self.norms == "post":
            x = self.mixer_norm(x + self.mixer(x, batch, state))
            return x if self.channel is None else self.channel_norm(x + self.channel(x, batch))
        if self.norms == "parallel":
            normed = self.mixer_norm(x)
            x = x + self.mixer(normed, batch, state)
            return x if self.channel is None else x + self.channel(normed, batch)
        x = x + self.mixer_post_norm(self.mixer(self.mixer_norm(x), batch, state))
        if self.channel is None:
            return x
        return x + self.channel_post_norm(self.channel(self.channel_norm(x), batch))


def _norm(config: ModelConfig) -> nn.Module:
    if config.norm == "layer":
        return nn.LayerNorm(config.width, config.norm_eps, bias=config.norm_bias)
    return RMS_NORMS[config.norm](config.width, config.norm_eps)


class Model(nn.Module):
    """A language model or an encoder whose weights are frozen; what trains are its adapters."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.width)
        self.embed.weight.requires_grad_(False)
        self.positions = (
            nn.Embedding(config.context_length, config.width) if config.positions else None
        )
        self.segments = nn.Embedding(config.segments, config.width) if config.segments else None
        is_post = config.norms == "post"
        self.embed_norm = _norm(config) if is_post or config.embed_norm else nn.Identity()
        self.blocks = nn.ModuleList(
            ResidualBlock(block, config, with_norm=i > 0 or not config.embed_norm)
            for i, block in enumerate(config.blocks)
        )
        self.norm = nn.Identity() if is_post else _norm(config)
        self.head = (
            None
            if config.tied_head
            else Linear(config.width, config.vocab_size, bias=config.head_bias)
        )

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights, and of the numbers between the layers."""
        return self.embed.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embed.weight.device

    @property
    def head_weight(self) -> torch.Tensor:
        """[vocab_size, width]: the embedding itself when the head is tied."""
        return self.embed.weight if self.head is None else self.head.weight

    @property
    def unembedding(self) -> Unembedding:
        """What makes logits of hidden states."""
        bias = None if self.head is None else self.head.bias
        return Unembedding(self.head_weight, bias, self.config.logit_cap)

    def new_states(self, pages: int, page: int, slots: int = 0) -> list[State]:
        """One state per block, with room for `pages` times `page` tokens, and `slots` sequences.

        Raises:
            UsageError: the model is an encoder.
        """
        self.config.check_writes()
        blocks = cast(Iterable[ResidualBlock], self.blocks)
        return [block.mixer.new_state(pages, page, slots, self.dtype) for block in blocks]

    def bytes_per_token(self) -> int:
        """What the states hold of every token of a sequence."""
        numbers = sum(block.mixer.numbers_per_token for block in self.config.blocks)
        return numbers * self.dtype.itemsize

    def forward(
        self, tokens: torch.Tensor, batch: Ragged, states: Sequence[State] | None = None
    ) -> torch.Tensor:
        """Token ids [rows] -> hidden states [rows, width], after the last norm."""
        x = self._embed(tokens, batch)
        for i, block in enumerate(self.blocks):
            x = block(x, batch, None if states is None else states[i])
        return self.norm(x)

    def _embed(self, tokens: torch.Tensor, batch: Ragged) -> torch.Tensor:
        x = self.embed(tokens) * self.config.embed_factor
        if self.positions is not None:
            x = x + self.positions(batch.positions)
        if self.segments is not None:
            x = x + self.segments.weight[0]
        return self.embed_norm(x)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states [n, width] -> fp32 logits [n, vocab_size]."""
        return self.unembedding.logits(hidden)

    def linears(self) -> Iterator[tuple[str, Linear]]:
        """Every matrix of the blocks that can carry an adapter, with its path."""
        for name, module in self.named_modules():
            if isinstance(module, Linear) and name != "head":
                yield name, module

    def adapter(self, name: str) -> dict[str, LowRank]:
        """The low-rank pairs of one adapter, by the path of the matrix each belongs to."""
        return {p: m.adapters[name] for p, m in self.linears() if name in m.adapters}
