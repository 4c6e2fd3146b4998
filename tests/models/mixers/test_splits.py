"""However a text is cut into pieces, and whatever stands beside them, the outputs are the same."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.models import (
    RWKV7,
    GatedConv,
    GatedDelta,
    Hyena,
    Mamba,
    Mamba2,
    Piece,
    Ragged,
    ShortConv,
)
from openhearth.models.build import NARROW
from openhearth.models.mixer_config import Mixer
from openhearth.models.mixers.recurrent import RecurrentMixer
from tests.models.mixers.forms import WIDTH, assert_near, dirty, random_mixer

CONFIGS: list[Mixer] = [
    GatedConv(modes=3, heads=4),
    GatedDelta(heads=4, key_heads=2, key_dim=4, value_dim=5),
    Hyena(taps=40),
    Mamba(inner=30, state=4, step_rank=2),
    Mamba2(heads=4, head_dim=6, state=5, groups=2),
    RWKV7(heads=2, head_dim=6, decay_rank=3, rate_rank=3, gate_rank=3),
    ShortConv(),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
@settings(max_examples=20, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 70), min_size=1, max_size=6),
    beside=st.lists(st.integers(1, 40), min_size=6, max_size=6),
)
@torch.inference_mode()
def test_splits_change_nothing(config: Mixer, cuts: list[int], beside: list[int]) -> None:
    mixer = random_mixer(config)
    assert isinstance(mixer, RecurrentMixer)
    text, slots, done, outs = torch.randn(sum(cuts), WIDTH), dirty(mixer, 3), 0, []
    for cut, other in zip(cuts, beside, strict=False):
        pieces = [Piece(other, 0, (), slot=0), Piece(cut, done, (), slot=2)]
        rows = torch.cat((torch.randn(other, WIDTH), text[done : done + cut]))
        outs.append(mixer(rows, Ragged(pieces), slots)[other:])
        done += cut
    assert_near(torch.cat(outs), mixer(text, Ragged([Piece(len(text))]), None), 2e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_texts_beside_do_not_change_gradients(config: Mixer) -> None:
    """Short texts are filled up beside longer ones, and what fills them up must not count."""
    mixer = random_mixer(config)
    lengths = (65, 127, 1, 100)
    texts = torch.randn(sum(lengths), WIDTH).split(lengths)
    weights = [p.requires_grad_() for p in mixer.parameters()]
    together = mixer(torch.cat(texts), Ragged([Piece(n) for n in lengths]), None)
    found = torch.autograd.grad(together.square().mean(), weights)
    apart = torch.cat([mixer(text, Ragged([Piece(len(text))]), None) for text in texts])
    expected = torch.autograd.grad(apart.square().mean(), weights)
    for got, want in zip(found, expected, strict=True):
        torch.testing.assert_close(got, want, atol=1e-5 * want.abs().max().item(), rtol=1e-4)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
@torch.inference_mode()
def test_bfloat16_stays_close(config: Mixer) -> None:
    """With matrices and texts in bfloat16, as `build` makes them, and states in fp32."""
    mixer, text = random_mixer(config), torch.randn(100, WIDTH)
    assert isinstance(mixer, RecurrentMixer)
    batch, slots = Ragged([Piece(100, 0, (), slot=1)]), dirty(mixer)
    exact = mixer(text, batch, slots)
    for module in mixer.modules():
        if isinstance(module, NARROW):
            module.bfloat16()
    rough = mixer(text.bfloat16(), batch, slots)
    assert rough.dtype == torch.bfloat16
    assert all(kept.dtype == torch.float32 for kept in slots.kept.values())
    # bfloat16 has 8 bits of mantissa, and each number goes through half a dozen roundings.
    assert (rough - exact).abs().mean() < 0.03 * exact.abs().mean()
