"""Attention inside short pieces, those of about one length side by side: the form for training.

On a processor the backward pass of torch's fused attention is several times slower than the few
products that it saves from being kept (docs/log.md). So scores are formed here, for all heads of a
group of pieces in one product, block by block of queries, so that most of what the causal mask
hides is never computed. They take over half of length * length numbers a head, hence the bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from openhearth.models import fused
from openhearth.models.mixer_config import Attention
from openhearth.models.ragged import Ragged

LONGEST = 512  # tokens of a piece
SLACK = 1.25  # the longest piece of a group may be so much longer than the shortest
BLOCK = 128  # queries whose scores are formed together, about

Gradients = tuple[torch.Tensor | None, ...]


@dataclass(frozen=True)
class Group:
    """Some pieces, filled up to the longest: `rows` [n] of the batch stand at `places` [n] of
    pieces * longest. Elsewhere are zeros, which nothing sees.
    """

    lengths: torch.Tensor
    longest: int
    rows: torch.Tensor
    places: torch.Tensor

    def stacked(self, x: torch.Tensor, shared: int) -> torch.Tensor:
        """x [rows of the batch, heads, d] -> [pieces * shared, longest * heads / shared, d]: heads
        that share keys stand below each other, so that one product serves them.
        """
        own, (_, heads, d) = x.index_select(0, self.rows), x.shape
        every = len(self.lengths) * self.longest
        if len(own) < every:
            own = x.new_zeros(every, heads, d).index_copy_(0, self.places, own)
        whole = own.view(-1, self.longest, shared, heads // shared, d).transpose(1, 2)
        return whole.reshape(-1, self.longest * heads // shared, d)

    def put(self, stacked: torch.Tensor, shared: int, into: torch.Tensor) -> None:
        """The inverse: the group's rows of `into` [rows of the batch, heads, d]."""
        _, heads, d = into.shape
        whole = stacked.view(-1, shared, self.longest, heads // shared, d).transpose(1, 2)
        into.index_copy_(0, self.rows, whole.reshape(-1, heads, d).index_select(0, self.places))


@dataclass(frozen=True)
class Block:
    """Some stacked queries, and the keys that any of them may see, of which each sees those from
    `first` to before `last`, [1 or pieces * kv_heads, queries].
    """

    queries: slice
    keys: slice
    first: torch.Tensor
    last: torch.Tensor

    def shares(self, queries: torch.Tensor, keys: torch.Tensor, scale: float) -> torch.Tensor:
        """What each of all queries takes of the values of this block's keys."""
        scores = torch.bmm(queries[:, self.queries], keys[:, self.keys].mT)
        if fused.serve(scores):
            return fused.softmax(scores, self.first, self.last, scale)
        at = torch.arange(scores.shape[-1])
        hidden = (at < self.first[..., None]) | (at >= self.last[..., None])
        return (scores * scale).masked_fill_(hidden, -torch.inf).softmax(-1)


def pays(q: torch.Tensor, batch: Ragged) -> bool:
    """Whether this is the faster form: gradients are wanted, by a processor, of short pieces."""
    learns = torch.is_grad_enabled() and q.device.type == "cpu"
    return learns and max(piece.length for piece in batch.pieces) <= LONGEST


def attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, batch: Ragged, config: Attention
) -> torch.Tensor:
    """q [rows, heads, d], k and v [rows, kv_heads, d] of whole pieces -> [rows, heads, d]."""

    def work() -> list[tuple[Group, list[Block]]]:
        return [(group, list(_blocks(group, config))) for group in _groups(batch)]

    scale = config.head_dim**-0.5 if config.scale is None else config.scale
    return SideBySide.apply(q, k, v, batch.once(("side by side", config), work), scale)


class SideBySide(torch.autograd.Function):
    """The attention of all groups, with its gradient written out."""

    @staticmethod
    def forward(
        ctx: Any,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        work: list[tuple[Group, list[Block]]],
        scale: float,
    ) -> torch.Tensor:
        ctx.work, ctx.scale, ctx.shared = work, scale, k.shape[1]
        mixed, kept = torch.empty_like(q), []
        for group, blocks in work:
            queries, keys, values = (group.stacked(x, k.shape[1]) for x in (q, k, v))
            found = torch.empty_like(queries)
            kept += [queries, keys, values]
            for block in blocks:
                kept.append(block.shares(queries, keys, scale))
                found[:, block.queries] = kept[-1] @ values[:, block.keys]
            group.put(found, k.shape[1], mixed)
        ctx.save_for_backward(*kept)
        return mixed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: torch.Tensor) -> Gradients:
        kept, shared = iter(ctx.saved_tensors), ctx.shared
        rows, _, d = outer[0].shape
        dq = torch.empty_like(outer[0])
        dk, dv = (outer[0].new_empty(rows, shared, d) for _ in range(2))
        for group, blocks in ctx.work:
            queries, keys, values = next(kept), next(kept), next(kept)
            above = group.stacked(outer[0], shared)
            dqueries = torch.empty_like(queries)
            # Summed over blocks, for which bf16 has too few digits.
            dkeys, dvalues = (torch.zeros_like(keys, dtype=torch.float32) for _ in range(2))
            for block in blocks:
                shares, g = next(kept), above[:, block.queries]
                fused.add(shares.mT @ g, dvalues[:, block.keys])
                dscores = _softmax_backward(g @ values[:, block.keys].mT, shares)
                dqueries[:, block.queries] = dscores @ keys[:, block.keys]
                fused.add(dscores.mT @ queries[:, block.queries], dkeys[:, block.keys])
            for grad, into in ((dqueries * ctx.scale, dq), (dkeys * ctx.scale, dk), (dvalues, dv)):
                group.put(grad.to(into.dtype), shared, into)
        return dq, dk, dv, None, None


def _softmax_backward(outer: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """shares * (outer - sum of shares * outer), with the sum in fp32."""
    return torch.ops.aten._softmax_backward_data(outer, shares, -1, shares.dtype)


def _groups(batch: Ragged) -> list[Group]:
    spans = sorted((rows for rows, _ in batch.spans), key=lambda rows: rows.stop - rows.start)
    sets: list[list[slice]] = []
    for rows in spans:
        length = rows.stop - rows.start
        if not sets or length > SLACK * (sets[-1][0].stop - sets[-1][0].start):
            sets.append([])
        sets[-1].append(rows)
    return [_group(rows) for rows in sets]


def _group(spans: list[slice]) -> Group:
    lengths = torch.tensor([rows.stop - rows.start for rows in spans])
    inside = torch.arange(int(lengths.max())) < lengths[:, None]
    rows = torch.cat([torch.arange(rows.start, rows.stop) for rows in spans])
    return Group(lengths, inside.shape[1], rows, inside.flatten().nonzero()[:, 0])


def _blocks(group: Group, config: Attention) -> Iterator[Block]:
    """The group's queries in blocks of about equal size, from the first to the last."""
    count = max(1, round(group.longest / BLOCK))
    size = -(-group.longest // count)
    together = config.heads // config.kv_heads
    reach = config.window or group.longest
    for start in range(0, group.longest, size):
        stop = min(start + size, group.longest)
        end = stop if config.causal else min(group.longest, stop + reach - 1)
        keys = slice(max(0, start - reach + 1), end)
        ranges = _seen(group, torch.arange(start, stop), reach, config)
        first, last = ((at - keys.start).repeat_interleave(together, dim=1) for at in ranges)
        yield Block(slice(start * together, stop * together), keys, first, last)


def _seen(
    group: Group, queries: torch.Tensor, reach: int, config: Attention
) -> tuple[torch.Tensor, torch.Tensor]:
    """The first key that each query sees, and the first behind those that it sees, [1 or pieces *
    kv_heads, queries].
    """
    first = (queries - reach + 1).clamp(min=0)[None]
    if config.causal:  # no row sees what fills up its piece
        return first, queries[None] + 1
    lengths = group.lengths[:, None]
    last = (queries + reach).minimum(lengths)
    # What fills a piece up sees itself, because softmax of nothing is no number.
    filling = queries >= lengths
    first, last = torch.where(filling, queries, first), torch.where(filling, queries + 1, last)
    return first.repeat_interleave(config.kv_heads, 0), last.repeat_interleave(config.kv_heads, 0)
