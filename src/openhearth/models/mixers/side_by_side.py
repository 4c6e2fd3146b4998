"""Attention inside short pieces, those of about one length side by side: the form for training.

On a processor the backward pass of torch's fused attention is several times slower than the few
products that it saves from being kept (docs/log.md). So scores are formed here, for all heads of a
group of pieces in one product. They take length * length numbers a head, hence the bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from openhearth.models.mixer_config import Attention
from openhearth.models.ragged import Ragged

LONGEST = 512  # tokens of a piece
SLACK = 1.25  # the longest piece of a group may be so much longer than the shortest


@dataclass(frozen=True)
class Group:
    """Some pieces, filled up to the longest: `rows` [pieces * longest] of the batch, for places
    past a piece's end its last row again; `own` are the places of rows that are none of those.
    """

    lengths: torch.Tensor
    rows: torch.Tensor
    own: torch.Tensor

    @property
    def longest(self) -> int:
        """How many places each piece has."""
        return len(self.rows) // len(self.lengths)


def pays(q: torch.Tensor, batch: Ragged) -> bool:
    """Whether this is the faster form: gradients are wanted, by a processor, of short pieces."""
    learns = torch.is_grad_enabled() and q.device.type == "cpu"
    return learns and max(piece.length for piece in batch.pieces) <= LONGEST


def attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, batch: Ragged, config: Attention
) -> torch.Tensor:
    """q [rows, heads, d], k and v [rows, kv_heads, d] of whole pieces -> [rows, heads, d]."""
    groups, back = batch.once("side by side", lambda: _groups(batch))
    return torch.cat([_attend(q, k, v, g, batch, config) for g in groups]).index_select(0, back)


def _groups(batch: Ragged) -> tuple[list[Group], torch.Tensor]:
    """Groups of pieces, and where each row of the batch stands in what the groups give."""
    spans = sorted((rows for rows, _ in batch.spans), key=lambda rows: rows.stop - rows.start)
    sets: list[list[slice]] = []
    for rows in spans:
        length = rows.stop - rows.start
        if not sets or length > SLACK * (sets[-1][0].stop - sets[-1][0].start):
            sets.append([])
        sets[-1].append(rows)
    groups = [_group(rows) for rows in sets]
    return groups, torch.cat([group.rows[group.own] for group in groups]).argsort()


def _group(spans: list[slice]) -> Group:
    starts = torch.tensor([rows.start for rows in spans])
    lengths = torch.tensor([rows.stop - rows.start for rows in spans])
    places = torch.arange(int(lengths.max()))
    rows = starts[:, None] + torch.minimum(places, lengths[:, None] - 1)
    return Group(lengths, rows.flatten(), (places < lengths[:, None]).flatten().nonzero()[:, 0])


def _attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    group: Group,
    batch: Ragged,
    config: Attention,
) -> torch.Tensor:
    """What one group gives, [rows of its pieces, heads, d]."""
    pieces, longest, shared = len(group.lengths), group.longest, config.kv_heads
    d = config.head_dim
    # Heads that share keys stand below each other, so that one product serves them.
    queries = q.index_select(0, group.rows).view(pieces, longest, shared, -1, d)
    queries = queries.permute(0, 2, 3, 1, 4).reshape(pieces * shared, -1, d)
    keys, values = (
        x.index_select(0, group.rows)
        .view(pieces, longest, shared, d)
        .transpose(1, 2)
        .reshape(pieces * shared, longest, d)
        for x in (k, v)
    )
    scale = d**-0.5 if config.scale is None else config.scale
    hidden = batch.once((id(group), config), lambda: _hidden(group, config, q.dtype))
    scores = torch.baddbmm(hidden, queries, keys.mT, alpha=scale)
    mixed = torch.bmm(scores.softmax(-1), values)
    mixed = mixed.view(pieces, config.heads, longest, d).transpose(1, 2)
    return mixed.reshape(pieces * longest, config.heads, d).index_select(0, group.own)


def _hidden(group: Group, config: Attention, dtype: torch.dtype) -> torch.Tensor:
    """What is added to scores, [1 or pieces * kv_heads, rows, longest]: minus infinity for
    keys that a query does not see.
    """
    places, window = torch.arange(group.longest), config.window or group.longest
    back = places[:, None] - places
    seen = (back >= 0) & (back < window) if config.causal else back.abs() < window
    seen = seen[None]
    if not config.causal:  # in causal attention no row sees what fills up its piece
        # What fills it up sees itself, because softmax of nothing is no number.
        seen = seen & ((places < group.lengths[:, None, None]) | (back == 0))
        seen = seen.repeat_interleave(config.kv_heads, 0)
    seen = seen.repeat(1, config.heads // config.kv_heads, 1)
    return torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, float("-inf"))
