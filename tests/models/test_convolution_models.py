"""Models of convolutions: mixed in one, in every form, and with narrow matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from openhearth.models import (
    Attention,
    Block,
    GatedConv,
    Hyena,
    Model,
    ModelConfig,
    Monarch,
    MonarchMLP,
    Piece,
    Ragged,
    ShortConv,
    SwiGLU,
)
from openhearth.models.build import build
from openhearth.models.mixer_config import Mixer
from openhearth.models.weights import Weights
from tests.models.forms import check_forms, tokens

WIDTH = 32
WRITER = (
    GatedConv(modes=3, heads=4),
    Hyena(taps=24),
    Attention(heads=4, kv_heads=2, head_dim=8),
    ShortConv(),
)
READER = (Monarch(taps=24, hidden=16), Attention(heads=4, kv_heads=4, head_dim=8, causal=False))
CHANNELS = {WRITER: SwiGLU(hidden=64), READER: MonarchMLP(hidden=64)}


class RandomWeights(Weights):
    """Weights of any model, as large as training begins with; the filters as their layers do."""

    def __init__(self, config: ModelConfig) -> None:
        torch.manual_seed(0)
        model = Model(config)
        for name, values in model.named_parameters():
            torch.nn.init.normal_(values, 0, 1 / math.sqrt(values.shape[-1]))
            if "norm" in name:
                torch.nn.init.ones_(values)
        for module in model.modules():
            if hasattr(module, "init_filter"):
                module.init_filter(torch.Generator().manual_seed(1))
        self.tensors = dict(model.named_parameters())

    def values(self, name: str) -> np.ndarray:
        return self.tensors[name].detach().numpy()


def built(mixers: tuple[Mixer, ...], dtype: torch.dtype) -> Model:
    blocks = tuple(Block(mixer=mixer, channel=CHANNELS[mixers]) for mixer in mixers)
    config = ModelConfig(vocab_size=300, width=WIDTH, context_length=64, blocks=blocks)
    return build(config, RandomWeights(config), dtype)


def test_one_model_may_have_them_all() -> None:
    model = built(WRITER, torch.float32)
    check_forms(model)
    slots = [state for state in model.new_states(1, 8, slots=1) if hasattr(state, "kept")]
    kept = sum(kept.numel() for state in slots for kept in state.kept.values())
    assert kept == model.config.state_numbers


@torch.inference_mode()
@pytest.mark.parametrize("mixers", [WRITER, READER])
def test_narrow_matrices_leave_filters_exact(mixers: tuple[Mixer, ...]) -> None:
    model = built(mixers, torch.bfloat16)
    for name, parameter in model.named_parameters():
        is_filter = any(part in name for part in ("filter", "poles", "residues", "direct"))
        assert parameter.dtype == (
            torch.float32 if is_filter or ".conv." in name else torch.bfloat16
        ), name
    ids, batch = tokens(30), Ragged([Piece(30)])
    exact = built(mixers, torch.float32)(ids, batch)
    rough = model(ids, batch).float()
    assert (rough - exact).abs().mean() < 0.05 * exact.abs().mean()
