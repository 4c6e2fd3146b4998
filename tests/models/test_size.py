"""Sizes of models: as their weights and states are, and as one counts by hand."""

from __future__ import annotations

import pytest
import torch

from openhearth.models import Model, design, measure
from openhearth.models.mixers.registry import MIXERS

SMALL = {"width": 32, "vocab_size": 50, "heads": 2, "kv_heads": 1, "context_length": 64}
MOE = {"name": "moe", "hidden": 8, "experts": 6, "active": 2, "shared": 16}


@pytest.mark.parametrize("mixer", [name for name in MIXERS if name != "monarch"])
def test_parameters_and_states_are_those_of_the_model(mixer: str) -> None:
    config = design(SMALL | {"blocks": f"[{mixer}, attention]"})
    made, model = measure(config), Model(config)
    assert made.total.parameters == sum(p.numel() for p in model.parameters())
    states = model.new_states(2, 4, slots=3)
    kept = [t for state in states for t in getattr(state, "kept", {}).values()]
    assert made.total.bytes_per_sequence * 3 == sum(t.nbytes for t in kept)
    pages = [t for s in states if hasattr(s, "keys") for t in (s.keys, s.values)]
    assert made.total.bytes_per_token * 2 * 4 == sum(t.to(torch.bfloat16).nbytes for t in pages)


def test_a_transformer_by_hand() -> None:
    """Matrices twice, head included; attention sees 10 keys, or with a window 4, on either side."""
    config = design(
        SMALL | {"hidden": 100, "blocks": ["attention", {"name": "attention", "window": 4}]}
    )
    made = measure(config, 10)
    attention, feed_forward = 32 * (32 + 16 + 16 + 32), 3 * 32 * 100
    layer, norms = attention + feed_forward, 2 * 32
    assert [layers.size.parameters for layers in made.layers] == [layer + norms] * 2
    assert [layers.size.flops for layers in made.layers] == [
        2 * layer + 4 * 32 * 10,
        2 * layer + 4 * 32 * 4,
    ]
    assert made.outside.parameters == 2 * 50 * 32 + 32
    assert made.outside.flops == 2 * 50 * 32
    assert made.state_bytes == 10 * 2 * 2 * (2 * 16)


def test_of_experts_only_those_that_a_token_takes_count() -> None:
    config = design(SMALL | {"blocks": ["short_conv"], "channel": MOE})
    some = measure(config).total
    every = measure(
        design(SMALL | {"blocks": ["short_conv"], "channel": MOE | {"active": 6}})
    ).total
    assert some.parameters == every.parameters
    assert every.flops - some.flops == 2 * 4 * (3 * 8 * 32)


def test_neighbours_that_are_alike_are_one_entry() -> None:
    made = measure(design(SMALL | {"blocks": "[mamba, mamba, attention] * 2"}))
    assert [(layers.first, layers.last) for layers in made.layers] == [
        (0, 1),
        (2, 2),
        (3, 4),
        (5, 5),
    ]
    parts = sum((layers.size for layers in made.layers), made.outside)
    assert parts == made.total
