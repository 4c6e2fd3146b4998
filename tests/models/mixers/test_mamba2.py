"""Mamba-2: its forms agree, its gradients are right, and it is that of `transformers`."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from transformers import Mamba2Config
from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer as TheirMixer

from openhearth.models import Mamba2
from openhearth.models.mixers.mamba2 import Mamba2Mixer, state_space
from tests.models.mixers.forms import (
    WIDTH,
    assert_near,
    check_forms,
    check_same_gradients,
    check_same_layer,
    random_mixer,
)

PLAIN = Mamba2(heads=5, head_dim=8, state=6)
GROUPED = Mamba2(heads=6, head_dim=8, state=10, groups=3, norm_groups=3, bias=True)
HELD = Mamba2(heads=6, head_dim=8, state=6, groups=2, least_step=0.5, most_step=0.9)
NAMES = {
    "in_proj": "into",
    "conv1d": "conv",
    "dt_bias": "step_bias",
    "A_log": "A_log",
    "D": "D",
    "norm": "gated_norm",
    "out_proj": "out",
}


@pytest.mark.parametrize(
    "config", [PLAIN, GROUPED, HELD, PLAIN.model_copy(update={"conv_bias": False, "kernel": 2})]
)
def test_forms_agree(config: Mamba2) -> None:
    check_forms(random_mixer(config), config)


@torch.inference_mode()
@pytest.mark.parametrize("config", [GROUPED, HELD])
def test_is_that_of_transformers(config: Mamba2) -> None:
    held = config == HELD
    theirs = TheirMixer(
        Mamba2Config(
            hidden_size=WIDTH,
            num_heads=config.heads,
            head_dim=config.head_dim,
            n_groups=config.groups,
            state_size=config.state,
            use_bias=config.bias,
            chunk_size=16,
            num_hidden_layers=1,
            time_step_limit=(0.5, 0.9) if held else (0.0, float("inf")),
        ),
        0,
    )
    config = config.model_copy(update={"norm_groups": config.groups})
    ours = random_mixer(config)
    check_same_layer(ours, theirs, NAMES)


def _loop(
    x: torch.Tensor, logs: torch.Tensor, B: torch.Tensor, C: torch.Tensor, S: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    ys = []
    B, C = (z.repeat_interleave(x.shape[2] // z.shape[2], dim=2) for z in (B, C))
    for t in range(x.shape[1]):
        S = logs[:, t].exp()[..., None, None] * S + x[:, t, ..., None] * B[:, t, :, None]
        ys.append((S * C[:, t, :, None]).sum(-1))
    return torch.stack(ys, 1), S


@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 140), groups=st.sampled_from([1, 2, 4]), seed=st.integers(0, 99))
def test_gradients_are_those_of_a_loop(length: int, groups: int, seed: int) -> None:
    torch.manual_seed(seed)
    logs = F.logsigmoid(5 * torch.randn(2, length, 4))
    x, B, C = (torch.randn(2, length, *n) for n in ((4, 3), (groups, 2), (groups, 2)))
    check_same_gradients(state_space, _loop, [x, logs, B, C, torch.randn(2, 4, 3, 2)])


def test_small_decays_beside_large_ones_are_not_lost() -> None:
    """An fp32 sum of 20,000 is exact to 0.002 only, so differences of sums would lose the 0.01."""
    x, B, C = torch.randn(1, 64, 1, 4), torch.randn(1, 64, 1, 3), torch.randn(1, 64, 1, 3)
    logs = torch.full((1, 64, 1), -0.01)
    logs[:, :20] = -1000.0
    found, _ = state_space(x, logs, B, C, torch.zeros(1, 1, 4, 3))
    expected, _ = _loop(x, logs, B, C, torch.zeros(1, 1, 4, 3))
    assert_near(found, expected, 1e-5)


def test_begins_as_the_authors_do() -> None:
    mixer = random_mixer(PLAIN)
    assert isinstance(mixer, Mamba2Mixer)
    mixer.init_state_space(torch.Generator().manual_seed(0))
    assert 1 <= mixer.A_log.exp().min() < mixer.A_log.exp().max() <= 16
    steps = F.softplus(mixer.step_bias)
    assert 0.001 <= steps.min() < steps.max() <= 0.1


@pytest.mark.parametrize("wrong", [{"groups": 2}, {"norm_groups": 3}])
def test_groups_must_be_even(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="evenly"):
        Mamba2(heads=5, head_dim=8, **wrong)
