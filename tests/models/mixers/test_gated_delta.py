"""Gated DeltaNet: its forms agree, its gradients are right, and it is that of `transformers`."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from transformers import OlmoHybridConfig, Qwen3_5TextConfig, Qwen3NextConfig
from transformers.models.olmo_hybrid.modeling_olmo_hybrid import OlmoHybridGatedDeltaNet
from transformers.models.qwen3_5.modeling_qwen3_5 import Qwen3_5GatedDeltaNet
from transformers.models.qwen3_next.modeling_qwen3_next import (
    Qwen3NextGatedDeltaNet,
    torch_chunk_gated_delta_rule,
)

from openhearth.models import GatedDelta
from openhearth.models.mixers.gated_delta import GatedDeltaNet, delta_rule
from tests.models.mixers.forms import (
    WIDTH,
    assert_near,
    check_forms,
    check_same_gradients,
    check_same_layer,
    random_mixer,
)

SIZES = {"heads": 4, "key_heads": 2, "key_dim": 6, "value_dim": 10}
OWN = {"conv1d": "conv", "dt_bias": "step_bias", "A_log": "A_log"}
QWEN = OWN | {"norm": "gated_norm", "out_proj": "out"}
PEERS = {
    "qwen3-next": (
        Qwen3NextGatedDeltaNet,
        Qwen3NextConfig,
        {"matrices": "by_head"},
        QWEN | {"in_proj_qkvz": "into.qkvz", "in_proj_ba": "into.ba"},
    ),
    "qwen3.5": (
        Qwen3_5GatedDeltaNet,
        Qwen3_5TextConfig,
        {"matrices": "joint"},
        QWEN | {f"in_proj_{part}": f"into.{part}" for part in ("qkv", "z", "b", "a")},
    ),
    "olmo-hybrid": (
        OlmoHybridGatedDeltaNet,
        OlmoHybridConfig,
        {"matrices": "apart", "negative": True, "norm_eps": 1e-5},
        OWN
        | {"o_norm": "gated_norm", "o_proj": "out", "g_proj": "into.z"}
        | {f"{part}_proj": f"into.{part}" for part in "qkvab"},
    ),
}


@pytest.mark.parametrize("matrices", ["joint", "by_head", "apart"])
def test_forms_agree(matrices: str) -> None:
    config = GatedDelta(**SIZES, matrices=matrices, negative=matrices == "apart")
    check_forms(random_mixer(config), config)


@torch.inference_mode()
@pytest.mark.parametrize("peer", PEERS)
def test_is_that_of_transformers(peer: str) -> None:
    layer, describe, settings, names = PEERS[peer]
    described = describe(
        hidden_size=WIDTH,
        linear_num_value_heads=4,
        linear_num_key_heads=2,
        linear_key_head_dim=6,
        linear_value_head_dim=10,
        rms_norm_eps=1e-5,
        num_hidden_layers=4,
    )
    theirs, ours = layer(described, 0), random_mixer(GatedDelta(**SIZES, **settings))
    check_same_layer(ours, theirs, names, 150)


def _loop(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    logs: torch.Tensor,
    beta: torch.Tensor,
    S: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    ys = []
    for t in range(q.shape[1]):
        S = logs[:, t].exp()[..., None, None] * S
        said = (S * k[:, t, ..., None]).sum(-2)
        S = S + k[:, t, ..., None] * (beta[:, t, :, None] * (v[:, t] - said))[..., None, :]
        ys.append((S * q[:, t, ..., None]).sum(-2))
    return torch.stack(ys, 1), S


def terms(length: int, seed: int) -> list[torch.Tensor]:
    """Random ones, with betas up to two."""
    torch.manual_seed(seed)
    q, k = (F.normalize(torch.randn(2, length, 3, 4), dim=-1) for _ in range(2))
    logs = F.logsigmoid(4 * torch.randn(2, length, 3))
    beta = 2 * torch.rand(2, length, 3)
    return [q, k, torch.randn(2, length, 3, 5), logs, beta, torch.randn(2, 3, 4, 5)]


@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 140), seed=st.integers(0, 99))
def test_gradients_are_those_of_a_loop(length: int, seed: int) -> None:
    check_same_gradients(delta_rule, _loop, terms(length, seed), tolerance=1e-8)


def test_is_the_rule_of_transformers() -> None:
    q, k, v, logs, beta, S = terms(100, 1)
    expected, state = torch_chunk_gated_delta_rule(
        q, k, v, logs, beta, initial_state=S, output_final_state=True
    )
    found, left = delta_rule(q / 2, k, v, logs, beta, S)  # theirs divides q by sqrt(4) itself
    assert_near(found, expected, 1e-5)
    assert_near(left, state, 1e-5)


def test_one_key_said_again_and_again_does_not_blow_up() -> None:
    """The system is then as badly conditioned as it gets, and the memory holds the last value."""
    k = F.normalize(torch.ones(1, 200, 1, 4), dim=-1)
    v = torch.randn(1, 200, 1, 5)
    ones, S = torch.ones(1, 200, 1), torch.zeros(1, 1, 4, 5)
    found, _ = delta_rule(k, k, v, 0 * ones, ones, S)
    assert_near(found, v, 1e-4)


def test_begins_as_the_authors_do() -> None:
    mixer = random_mixer(GatedDelta(**SIZES))
    assert isinstance(mixer, GatedDeltaNet)
    mixer.init_state_space(torch.Generator().manual_seed(0))
    assert 0 < mixer.A_log.exp().max() <= 16
    assert F.softplus(mixer.step_bias).min() >= 0.001


def test_heads_must_be_shared_evenly() -> None:
    with pytest.raises(ValidationError, match="evenly"):
        GatedDelta(heads=3, key_heads=2, key_dim=4, value_dim=4)
