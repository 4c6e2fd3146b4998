"""The count of FLOPs, held to what torch counts while a model runs."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from openhearth.models import Piece, Ragged
from openhearth.models.mixers.registry import MIXERS
from openhearth.training.initialise import initialise
from openhearth.training.study.flops import MIXING, training_flops, weights_met
from openhearth.training.study.mixes import Size, model_of

LENGTH = 256
SIZE = Size(width=64, depth=1, heads=2)


@pytest.mark.parametrize("mixer", [name for name in MIXING if name != "attention"])
def test_as_torch_counts(mixer: str) -> None:
    config = model_of("one", f"[{mixer}]", SIZE, vocabulary=300, context=LENGTH)
    model = initialise(config, 0)
    with FlopCounterMode(display=False) as counter:
        hidden = model(torch.zeros(2 * LENGTH, dtype=torch.long), Ragged([Piece(LENGTH)] * 2))
        model.logits(hidden)
    # Transforms, gates and decays are not counted there, filters for a batch are not here.
    ours, theirs = training_flops(config, LENGTH) / 3, counter.get_total_flops() / (2 * LENGTH)
    assert ours == pytest.approx(theirs, rel=0.1)


def test_attention_as_nanochat_counts_it() -> None:
    config = model_of("one", "[attention]", SIZE, vocabulary=300, context=LENGTH)
    heads, head_dim, width, hidden = 2, 32, 64, 192
    matrices = 4 * width * width + 3 * width * hidden + 300 * width
    assert weights_met(config) == matrices
    assert training_flops(config, LENGTH) == 6 * matrices + 12 * heads * head_dim * LENGTH


def test_of_experts_those_count_that_a_token_takes() -> None:
    channel = {"name": "moe", "hidden": 32, "experts": 8, "active": 2}
    config = model_of(
        "moe", [{"name": "attention", "channel": channel}], SIZE, vocabulary=300, context=LENGTH
    )
    dense = 4 * 64 * 64 + 300 * 64
    experts = 2 * 3 * 64 * 32
    assert dense + experts <= weights_met(config) <= dense + experts + 8 * 64


def test_every_mixer_that_writes_text_is_counted() -> None:
    assert set(MIXING) == set(MIXERS) - {"monarch"}
