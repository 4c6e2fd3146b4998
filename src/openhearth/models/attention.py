"""Grouped-query attention over a flat batch: within a piece, or causally over the keys in its slot.

The decoding form folds the heads that share keys into the query's length, so that one call serves
all sequences of a step and each key is read once.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.models.config import Attention
from openhearth.models.linear import Linear
from openhearth.models.norm import RMSNorm
from openhearth.models.ragged import Decodes, Piece, Ragged
from openhearth.models.rope import Rope, rotate


class KeyValues:
    """The keys and values of every slot, each [slots, kv_heads, capacity, head_dim]."""

    def __init__(self, config: Attention, slots: int, capacity: int, dtype: torch.dtype) -> None:
        shape = (slots, config.kv_heads, capacity, config.head_dim)
        # Never read before it is written, except under a mask that needs numbers: hence zeros,
        # which the operating system hands out only when they are touched.
        self.keys = torch.zeros(shape, dtype=dtype)
        self.values = torch.zeros(shape, dtype=dtype)

    def write(self, batch: Ragged, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Store keys and values [rows, kv_heads, head_dim] where their pieces belong."""
        for rows, piece in batch.chunks:
            at = slice(piece.position, piece.position + piece.length)
            self.keys[piece.slot, :, at] = keys[rows].transpose(0, 1)
            self.values[piece.slot, :, at] = values[rows].transpose(0, 1)
        if (step := batch.decodes) is not None:
            slots = step.places + step.slots.start
            self.keys[slots, :, step.positions] = keys[step.rows]
            self.values[slots, :, step.positions] = values[step.rows]

    def of(self, piece: Piece) -> tuple[torch.Tensor, torch.Tensor]:
        """A piece's keys and values so far, each [kv_heads, length, head_dim]."""
        end = piece.position + piece.length
        return self.keys[piece.slot, :, :end], self.values[piece.slot, :, :end]

    @staticmethod
    def bytes_per_token(config: Attention, dtype: torch.dtype) -> int:
        """What one token of one sequence occupies in this layer."""
        return 2 * config.kv_heads * config.head_dim * dtype.itemsize


class GroupedQueryAttention(nn.Module):
    """x [rows, width] -> [rows, width]."""

    def __init__(self, config: Attention, width: int, eps: float) -> None:
        super().__init__()
        self.config = config
        self.rope = Rope.of(config)
        queries, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
        self.q = Linear(width, queries, bias=config.bias)
        self.k = Linear(width, keys, bias=config.bias)
        self.v = Linear(width, keys, bias=config.bias)
        self.o = Linear(queries, width, bias=config.output_bias)
        self.q_norm = RMSNorm(config.head_dim, eps) if config.qk_norm else nn.Identity()
        self.k_norm = RMSNorm(config.head_dim, eps) if config.qk_norm else nn.Identity()

    def new_state(self, slots: int, capacity: int, dtype: torch.dtype) -> KeyValues:
        """Room for `slots` sequences of at most `capacity` tokens."""
        return KeyValues(self.config, slots, capacity, dtype)

    def forward(self, x: torch.Tensor, batch: Ragged, state: KeyValues | None) -> torch.Tensor:
        heads = (len(x), -1, self.config.head_dim)
        q = self._rotate(self.q_norm(self.q(x, batch).view(heads)), batch)
        k = self._rotate(self.k_norm(self.k(x, batch).view(heads)), batch)
        v = self.v(x, batch).view(heads)
        if state is None:
            mixed = _within_pieces(q, k, v, batch, self.config)
        else:
            state.write(batch, k, v)
            mixed = _over_slots(q, batch, state, self.config)
        return self.o(mixed.flatten(1), batch)

    def _rotate(self, x: torch.Tensor, batch: Ragged) -> torch.Tensor:
        rope = self.rope
        if rope is None:
            return x
        return rotate(x, *batch.once(rope, lambda: rope.angles(batch.positions)))


def _within_pieces(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, batch: Ragged, config: Attention
) -> torch.Tensor:
    """Attention inside each piece, [rows, heads, head_dim]: nothing crosses documents."""
    return torch.cat(
        [
            _attend(q[rows], k[rows].transpose(0, 1), v[rows].transpose(0, 1), config)
            for rows, _ in batch.spans
        ]
    )


def _attend(
    q: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, config: Attention
) -> torch.Tensor:
    """q [n, heads, d] are the last n positions of keys and values [kv_heads, m, d]."""
    new, total = len(q), keys.shape[1]
    mask = None
    if config.causal and (new < total or (config.window or total) < total):
        mask = torch.ones(new, total, dtype=torch.bool).tril(total - new)
        mask = _in_window(mask, config)
    mixed = F.scaled_dot_product_attention(
        q.transpose(0, 1)[None],
        keys[None],
        values[None],
        attn_mask=mask,
        is_causal=config.causal and mask is None,
        scale=config.scale,
        enable_gqa=True,
    )
    return mixed[0].transpose(0, 1)


def _in_window(mask: torch.Tensor, config: Attention) -> torch.Tensor:
    """Of the keys that `mask` [..., keys] shows, all from the first on, the last `window`."""
    if config.window is None:
        return mask
    later = mask[..., config.window :]
    return mask & ~F.pad(later, (0, mask.shape[-1] - later.shape[-1]))


def _over_slots(
    q: torch.Tensor, batch: Ragged, state: KeyValues, config: Attention
) -> torch.Tensor:
    """Each row over its slot's keys, [rows, heads, head_dim]."""
    mixed = torch.empty_like(q)
    for rows, piece in batch.chunks:
        mixed[rows] = _attend(q[rows], *state.of(piece), config)
    if (step := batch.decodes) is not None:
        mixed[step.rows] = _decode(q[step.rows], step, state, config)
    return mixed


def _decode(q: torch.Tensor, step: Decodes, state: KeyValues, config: Attention) -> torch.Tensor:
    """One query per sequence: q [n, heads, d] -> [n, heads, d]."""
    keys = state.keys[step.slots, :, : step.keys]
    values = state.values[step.slots, :, : step.keys]
    n, heads, d = q.shape
    kv_heads = keys.shape[1]
    grouped = q.new_zeros(len(keys), kv_heads, heads // kv_heads, d)
    grouped[step.places] = q.view(n, kv_heads, -1, d)
    mask = _in_window(step.mask, config)
    mixed = F.scaled_dot_product_attention(
        grouped, keys, values, attn_mask=mask, scale=config.scale
    )
    return mixed[step.places].reshape(n, heads, d)
