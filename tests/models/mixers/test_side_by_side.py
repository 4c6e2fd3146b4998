"""The form for training against torch's attention of each piece alone, values and gradients."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.models import Attention, Piece, Ragged
from openhearth.models.mixers import side_by_side
from openhearth.models.mixers.attention import GroupedQueryAttention, _attend


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    shape=st.sampled_from([(4, 2), (3, 1), (2, 2)]),
    window=st.sampled_from([None, 5]),
    causal=st.booleans(),
    seed=st.integers(0, 100),
)
@settings(max_examples=40)
def test_it_is_the_attention_of_each_piece_alone(
    lengths: list[int], shape: tuple[int, int], window: int | None, causal: bool, seed: int
) -> None:
    heads, kv_heads = shape
    config = Attention(
        heads=heads,
        kv_heads=kv_heads,
        head_dim=8,
        window=window,
        causal=causal,
        scale=0.3,
    )
    layer = GroupedQueryAttention(config, 8, 1e-5)
    generator = torch.Generator().manual_seed(seed)
    q, k, v, outer = (
        torch.randn(sum(lengths), n, 8, generator=generator)
        for n in (heads, kv_heads, kv_heads, heads)
    )
    inputs = [x.requires_grad_() for x in (q, k, v)]
    batch = Ragged([Piece(n) for n in lengths])
    assert side_by_side.pays(q, batch)
    mine = side_by_side.attend(q, k, v, batch, config)
    theirs = torch.cat(
        [
            _attend(q[rows], k[rows].transpose(0, 1), v[rows].transpose(0, 1), layer)
            for rows, _ in batch.spans
        ]
    )
    torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(mine, inputs, outer), torch.autograd.grad(theirs, inputs, outer)
    )


def test_it_is_for_training_on_short_pieces_only() -> None:
    q = torch.zeros(1, 1, 8)
    short = Ragged([Piece(3), Piece(side_by_side.LONGEST)])
    assert side_by_side.pays(q, short)
    assert not side_by_side.pays(q, Ragged([Piece(3), Piece(side_by_side.LONGEST + 1)]))
    with torch.no_grad():
        assert not side_by_side.pays(q, short)
