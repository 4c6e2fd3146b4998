"""First values: each matrix keeps the size of what goes through it."""

from __future__ import annotations

import torch

from openhearth.models import Block, MoE
from openhearth.training.initialise import initialise
from tests.training.jobs import CONFIG


def test_experts_begin_like_other_matrices() -> None:
    blocks = (Block(mixer=CONFIG.blocks[0].mixer, channel=MoE(hidden=64, experts=8, active=2)),)
    model = initialise(CONFIG.model_copy(update={"blocks": blocks}), 3)
    experts = model.blocks[0].channel.experts
    for weight, inputs, added in (
        (experts.gate, 16, 1),
        (experts.up, 16, 1),
        (experts.down, 64, 2),
    ):
        expected = torch.full((8,), (inputs * added) ** -0.5)
        torch.testing.assert_close(weight.std((1, 2)), expected, atol=0, rtol=0.1)
    again = initialise(CONFIG.model_copy(update={"blocks": blocks}), 3)
    assert torch.equal(again.blocks[0].channel.experts.down, experts.down)
