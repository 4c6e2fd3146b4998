"""Mamba: its forms agree, its gradients are right, and it is that of `transformers`."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from transformers import JambaConfig, MambaConfig
from transformers.models.jamba.modeling_jamba import JambaMambaMixer
from transformers.models.mamba.modeling_mamba import MambaMixer as TheirMixer

from openhearth.models import Mamba
from openhearth.models.mixers import selective_scan as scan_module
from openhearth.models.mixers.mamba import MambaMixer
from openhearth.models.mixers.selective_scan import selective_scan
from tests.models.mixers.forms import (
    WIDTH,
    assert_near,
    check_forms,
    check_same_gradients,
    check_same_layer,
    random_mixer,
)

PLAIN = Mamba(inner=40, state=6, step_rank=3)
JAMBA = Mamba(inner=2 * WIDTH, state=6, step_rank=3, norms=True)
NAMES = {
    "in_proj": "into",
    "conv1d": "recent.conv",
    "x_proj": "choose",
    "dt_proj": "step_size",
    "dt_proj.bias": "step_bias",
    "A_log": "A_log",
    "D": "D",
    "out_proj": "out",
    "dt_layernorm": "norms.0",
    "b_layernorm": "norms.1",
    "c_layernorm": "norms.2",
}


@pytest.mark.parametrize(
    "config", [PLAIN, JAMBA, PLAIN.model_copy(update={"bias": True, "conv_bias": False})]
)
def test_forms_agree(config: Mamba) -> None:
    check_forms(random_mixer(config), config)


@torch.inference_mode()
def test_is_that_of_mamba() -> None:
    config = Mamba(inner=2 * WIDTH, state=6, step_rank=3, bias=True)
    theirs = TheirMixer(
        MambaConfig(
            hidden_size=WIDTH, state_size=6, time_step_rank=3, use_bias=True, num_hidden_layers=1
        ),
        0,
    )
    ours = random_mixer(config)
    check_same_layer(ours, theirs, NAMES)


@torch.inference_mode()
def test_is_that_of_jamba() -> None:
    theirs = JambaMambaMixer(
        JambaConfig(hidden_size=WIDTH, mamba_d_state=6, mamba_dt_rank=3, rms_norm_eps=1e-5),
        0,
    )
    ours = random_mixer(JAMBA)
    check_same_layer(ours, theirs, NAMES)


def _loop(
    u: torch.Tensor,
    dt: torch.Tensor,
    A: torch.Tensor,
    B: torch.Tensor,
    C: torch.Tensor,
    h: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    ys = []
    for t in range(u.shape[1]):
        dt_t = F.softplus(dt[:, t])
        h = (dt_t[..., None] * A).exp() * h + (dt_t * u[:, t])[..., None] * B[:, t, None]
        ys.append((h * C[:, t, None]).sum(-1))
    return torch.stack(ys, 1), h


@pytest.mark.parametrize("length", [1, 2, 7, 12])
def test_gradients_are_those_of_a_loop(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over chunks of three tokens."""
    monkeypatch.setattr(scan_module, "CHUNK", 3 * 2 * 5 * 4)
    shapes = [(2, length, 5), (2, length, 5), (5, 4), (2, length, 4), (2, length, 4), (2, 5, 4)]
    inputs = [torch.randn(shape) for shape in shapes]
    inputs[2] = -inputs[2].abs()
    check_same_gradients(
        lambda u, dt, *rest: selective_scan(u, F.softplus(dt), *rest), _loop, inputs
    )


def test_strong_decays_give_numbers() -> None:
    """A state that is forgotten at once neither overflows nor divides by nothing."""
    u, B, C = (torch.randn(1, 300, n, requires_grad=True) for n in (3, 2, 2))
    dt = torch.full((1, 300, 3), 50.0)
    y, _ = selective_scan(u, dt, torch.full((3, 2), -1e3), B, C, torch.zeros(1, 3, 2))
    y.sum().backward()
    assert_near(y, (C * B).sum(-1, keepdim=True) * u * 50, 1e-4)
    assert u.grad is not None
    assert u.grad.isfinite().all()


def test_begins_as_the_authors_do() -> None:
    mixer = random_mixer(PLAIN)
    assert isinstance(mixer, MambaMixer)
    mixer.init_state_space(torch.Generator().manual_seed(0))
    steps = F.softplus(mixer.step_bias)
    assert 0.001 <= steps.min() < 0.01 < steps.max() <= 0.1
    assert_near(mixer.A_log.exp(), torch.arange(1.0, 7).expand(40, 6), 1e-5)
