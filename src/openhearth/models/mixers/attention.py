"""Grouped-query attention over a flat batch: within a piece, or causally over the keys in pages.

The decoding form folds the heads that share keys into the query's length, so that one call serves
all sequences of a step.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.models.linear import Linear
from openhearth.models.mixer_config import Attention
from openhearth.models.mixers import side_by_side, varlen
from openhearth.models.norm import RMSNorm
from openhearth.models.ragged import Decodes, Piece, Ragged
from openhearth.models.rope import Rope
from openhearth.models.rotate import angles_at, rotate


class KeyValues:
    """The keys and values of every page, each [kv_heads, pages, page, head_dim]."""

    def __init__(self, config: Attention, pages: int, page: int, dtype: torch.dtype) -> None:
        shape = (config.kv_heads, pages, page, config.head_dim)
        # The operating system hands out zeros only when they are touched.
        self.keys = torch.zeros(shape, dtype=dtype)
        self.values = torch.zeros(shape, dtype=dtype)

    def write(self, batch: Ragged, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Store keys and values [rows, kv_heads, head_dim] where their pieces belong."""
        size = self.keys.shape[2]
        pages, at, fresh = batch.once(("places", size), lambda: batch.places(size))
        # What a page held before is read under a mask, which does not hide what is not a number.
        self.keys.index_fill_(1, fresh, 0)
        self.values.index_fill_(1, fresh, 0)
        self.keys[:, pages, at] = keys.transpose(0, 1)
        self.values[:, pages, at] = values.transpose(0, 1)

    def of(self, piece: Piece) -> tuple[torch.Tensor, torch.Tensor]:
        """A piece's keys and values so far, each [kv_heads, length, head_dim]."""
        keys, values = self.gather(torch.tensor([piece.pages]))
        end = piece.position + piece.length
        return keys[0, :, :end], values[0, :, :end]

    def gather(self, pages: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Copies of the pages [n, most] as keys and values [n, kv_heads, most * page, head_dim]."""
        heads, _, size, width = self.keys.shape
        n, most = pages.shape
        keys, values = (
            pool.index_select(1, pages.flatten()).view(heads, n, most * size, width)
            for pool in (self.keys, self.values)
        )
        return keys.transpose(0, 1), values.transpose(0, 1)


class GroupedQueryAttention(nn.Module):
    """x [rows, width] -> [rows, width]."""

    frequencies: torch.Tensor | None

    def __init__(self, config: Attention, width: int, eps: float) -> None:
        super().__init__()
        self.config = config
        self.rope = Rope.of(config)
        frequencies = None if self.rope is None else torch.from_numpy(self.rope.frequencies())
        self.register_buffer("frequencies", frequencies, persistent=False)
        queries, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
        self.q = Linear(width, queries * (2 if config.gated else 1), bias=config.bias)
        self.k = Linear(width, keys, bias=config.bias)
        self.v = Linear(width, keys, bias=config.bias)
        self.o = Linear(queries, width, bias=config.output_bias)
        self.q_norm = _norm(config, config.heads, eps)
        self.k_norm = _norm(config, config.kv_heads, eps)
        sinks = nn.Parameter(torch.empty(config.heads), requires_grad=False)
        self.sinks = sinks if config.sinks else None

    def new_state(self, pages: int, page: int, slots: int, dtype: torch.dtype) -> KeyValues:
        """Room for `pages` times `page` tokens; there is nothing to keep of a sequence beside."""
        return KeyValues(self.config, pages, page, dtype)

    def forward(self, x: torch.Tensor, batch: Ragged, state: KeyValues | None) -> torch.Tensor:
        heads = (len(x), -1, self.config.head_dim)
        q, *gate = self.q(x, batch).unflatten(1, (self.config.heads, -1)).split(heads[2], dim=-1)
        q = self._rotate(_normed(q, self.q_norm), batch)
        k = self._rotate(_normed(self.k(x, batch).view(heads), self.k_norm), batch)
        v = self.v(x, batch).view(heads)
        if state is None:
            mixed = _within_pieces(q, k, v, batch, self)
        else:
            state.write(batch, k, v)
            mixed = _over_pages(q, batch, state, self)
        if gate:
            mixed = mixed * gate[0].sigmoid()
        return self.o(mixed.flatten(1), batch)

    def _rotate(self, x: torch.Tensor, batch: Ragged) -> torch.Tensor:
        frequencies = self.frequencies
        if frequencies is None:
            return x

        def angles() -> tuple[torch.Tensor, torch.Tensor]:
            return angles_at(frequencies, batch.positions, x.dtype)

        return rotate(x, *batch.once((self.rope, x.dtype), angles))


def _norm(config: Attention, heads: int, eps: float) -> nn.Module:
    if not config.qk_norm:
        return nn.Identity()
    return RMSNorm(config.head_dim * (heads if config.qk_norm == "joint" else 1), eps)


def _normed(x: torch.Tensor, norm: nn.Module) -> torch.Tensor:
    """x [rows, heads, head_dim], by heads or all in one, whatever the norm is for."""
    if isinstance(norm, RMSNorm) and len(norm.weight) > x.shape[-1]:
        return norm(x.flatten(1)).view(x.shape)
    return norm(x)


def _within_pieces(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    batch: Ragged,
    layer: GroupedQueryAttention,
) -> torch.Tensor:
    """Attention inside each piece, [rows, heads, head_dim]: nothing crosses documents."""
    if _is_plain(layer.config) and side_by_side.pays(q, batch):
        return side_by_side.attend(q, k, v, batch, layer.config)
    if _is_plain(layer.config) and varlen.pays(q):
        return varlen.attend(q, k, v, batch, layer.config)
    return torch.cat(
        [
            _attend(q[rows], k[rows].transpose(0, 1), v[rows].transpose(0, 1), layer)
            for rows, _ in batch.spans
        ]
    )


def _attend(
    q: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, layer: GroupedQueryAttention
) -> torch.Tensor:
    """q [n, heads, d] are the last n positions of keys and values [kv_heads, m, d]."""
    config = layer.config
    mask = _seen(len(q), keys.shape[1], config)
    if _is_plain(config):
        mixed = F.scaled_dot_product_attention(
            q.transpose(0, 1)[None],
            keys[None],
            values[None],
            attn_mask=mask,
            is_causal=config.causal and mask is None,
            scale=config.scale,
            enable_gqa=True,
        )[0]
    else:
        if mask is None:
            mask = torch.ones(len(q), len(q), dtype=torch.bool)
            mask = mask.tril() if config.causal else mask
        grouped = q.transpose(0, 1).unflatten(0, (config.kv_heads, -1))
        mixed = _written_out(grouped, keys, values, mask, layer).flatten(0, 1)
    return mixed.transpose(0, 1)


def _seen(new: int, total: int, config: Attention) -> torch.Tensor | None:
    """Which keys each query sees, [new, total], unless it is all or, of a whole text, those before.

    Queries that do not look back see a window on either side.
    """
    if (new == total or not config.causal) and (config.window or total) >= total:
        return None
    mask = torch.ones(new, total, dtype=torch.bool)
    if not config.causal:
        assert config.window is not None
        return mask.tril(config.window - 1).triu(1 - config.window)
    return _in_window(mask.tril(total - new), config)


def _in_window(mask: torch.Tensor, config: Attention) -> torch.Tensor:
    """Of the keys that `mask` [..., keys] shows, all from the first on, the last `window`."""
    if config.window is None:
        return mask
    later = mask[..., config.window :]
    return mask & ~F.pad(later, (0, mask.shape[-1] - later.shape[-1]))


def _over_pages(
    q: torch.Tensor, batch: Ragged, state: KeyValues, layer: GroupedQueryAttention
) -> torch.Tensor:
    """Each row over its pages' keys, [rows, heads, head_dim]."""
    mixed = torch.empty_like(q)
    for rows, piece in batch.chunks:
        mixed[rows] = _attend(q[rows], *state.of(piece), layer)
    if (step := batch.decodes) is not None:
        mixed[step.rows] = _decode(q[step.rows], step, batch, state, layer)
    return mixed


def _decode(
    q: torch.Tensor,
    step: Decodes,
    batch: Ragged,
    state: KeyValues,
    layer: GroupedQueryAttention,
) -> torch.Tensor:
    """One query per sequence: q [n, heads, d] -> [n, heads, d]."""
    config = layer.config
    keys, values = state.gather(step.pages)
    grouped = q.unflatten(1, (config.kv_heads, -1))
    total = keys.shape[2]

    def seen() -> torch.Tensor:
        return _in_window(torch.arange(total) <= step.positions[:, None], config)

    mask = batch.once(("seen", config.window, total), seen)[:, None, None, :]
    if _is_plain(config):
        mixed = F.scaled_dot_product_attention(
            grouped, keys, values, attn_mask=mask, scale=config.scale
        )
    else:
        one = grouped.unsqueeze(-2)
        mixed = _written_out(one, keys, values, mask.unsqueeze(-2), layer).squeeze(-2)
    return mixed.flatten(1, 2)


def _is_plain(config: Attention) -> bool:
    """Whether torch has a kernel."""
    return config.softcap is None and not config.sinks


def _written_out(
    q: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor,
    layer: GroupedQueryAttention,
) -> torch.Tensor:
    """q [..., kv_heads, group, n, d] over keys and values [..., kv_heads, m, d], with caps and
    sinks; mask [..., n, m] -> [..., kv_heads, group, n, d].
    """
    config = layer.config
    scores = (q @ keys.unsqueeze(-3).transpose(-1, -2)).float()
    scores = scores * (config.scale or config.head_dim**-0.5)
    if config.softcap is not None:
        scores = (scores / config.softcap).tanh() * config.softcap
    scores = scores.masked_fill(~mask, -torch.inf)
    if layer.sinks is not None:
        sinks = layer.sinks.float().view(config.kv_heads, -1, 1, 1)
        scores = torch.cat((scores, sinks.expand(*scores.shape[:-1], 1)), dim=-1)
    shares = scores.softmax(-1)[..., : keys.shape[-2]].to(values.dtype)
    return shares @ values.unsqueeze(-3)
