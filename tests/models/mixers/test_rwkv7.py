"""RWKV-7: its forms agree, its gradients are right, and it is what the paper's equations say."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.models import RWKV7, Piece, Ragged
from openhearth.models.mixers.rwkv7 import LEAST, TimeMixing, memory
from tests.models.mixers.forms import (
    WIDTH,
    assert_near,
    check_forms,
    check_same_gradients,
    random_mixer,
)

CONFIG = RWKV7(heads=3, head_dim=8, decay_rank=4, rate_rank=5, gate_rank=6)


def test_forms_agree() -> None:
    for config in (CONFIG, CONFIG.model_copy(update={"heads": 5})):
        check_forms(random_mixer(config), config)


@torch.inference_mode()
def test_is_what_the_equations_say() -> None:
    """arXiv:2503.14456, equations 3 to 17, one token, one head at a time, with their names."""
    mixer = random_mixer(CONFIG)
    w = dict(mixer.state_dict())
    x, last, memories = torch.randn(90, WIDTH), torch.zeros(WIDTH), torch.zeros(3, 8, 8)
    expected = []
    for token in x:
        x_r, x_d, x_k, x_v, x_a, x_g = (token + (last - token) * mu for mu in w["before"])
        last = token
        r, k, v = w["r.weight"] @ x_r, w["k.weight"] @ x_k, w["v.weight"] @ x_v
        d = w["decay_bias"] + w["decay.up.weight"] @ torch.tanh(w["decay.down.weight"] @ x_d)
        decay = torch.exp(-torch.exp(torch.tensor(-0.5)) * torch.sigmoid(d))
        a = torch.sigmoid(w["rate_bias"] + w["rate.up.weight"] @ w["rate.down.weight"] @ x_a)
        g = w["gate.up.weight"] @ torch.sigmoid(w["gate.down.weight"] @ x_g)
        removal, replaced = k * w["taken_scale"], k * (1 + w["key_rate"] * (a - 1))
        outs = []
        for h in range(3):
            own = slice(8 * h, 8 * h + 8)
            kappa = removal[own] / removal[own].norm()
            # Their state is [value, key], and vectors stand in rows.
            S = memories[h] @ (torch.diag(decay[own]) - torch.outer(kappa, a[own] * kappa))
            memories[h] = S + torch.outer(v[own], replaced[own])
            y = memories[h] @ r[own]
            y = (y - y.mean()) / torch.sqrt(y.var(correction=0) + 8e-5)
            y = y * w["head_norm.weight"][own] + w["head_norm.bias"][own]
            outs.append(y + (r[own] * w["bonus"][h] * replaced[own]).sum() * v[own])
        expected.append(w["out.weight"] @ (torch.cat(outs) * g))
    assert_near(mixer(x, Ragged([Piece(90)]), None), torch.stack(expected), 1e-5)


def _loop(
    r: torch.Tensor,
    logs: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    S: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    ys = []
    for t in range(r.shape[1]):
        said = (a[:, t, ..., None] * S).sum(-2, keepdim=True)
        written = k[:, t, ..., None] * v[:, t, :, None]
        S = logs[:, t].exp()[..., None] * S + b[:, t, ..., None] * said + written
        ys.append((r[:, t, ..., None] * S).sum(-2))
    return torch.stack(ys, 1), S


def terms(length: int, seed: int) -> list[torch.Tensor]:
    torch.manual_seed(seed)
    r, k, v, rate, w = (torch.randn(2, length, 3, 4) for _ in range(5))
    taken = F.normalize(torch.randn(2, length, 3, 4), dim=-1)
    logs = LEAST * (5 * w).sigmoid()
    return [r, logs, k, v, -taken, taken * rate.sigmoid(), torch.randn(2, 3, 4, 4)]


@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 140), seed=st.integers(0, 99))
def test_gradients_are_those_of_a_loop(length: int, seed: int) -> None:
    check_same_gradients(memory, _loop, terms(length, seed), tolerance=1e-8)


def test_fastest_decays_are_exact_in_single_precision() -> None:
    inputs = terms(128, 0)
    inputs[1] = torch.full_like(inputs[1], LEAST)
    for got, expected in zip(memory(*inputs), _loop(*inputs), strict=True):
        assert_near(got, expected, 1e-5)


def test_begins_as_the_authors_do() -> None:
    mixer = random_mixer(CONFIG)
    assert isinstance(mixer, TimeMixing)
    mixer.init_state_space(torch.Generator().manual_seed(0))
    decays = (LEAST * mixer.decay_bias.sigmoid()).exp()
    assert 0.54 < decays.min() < 0.7 < 0.99 < decays.max() < 1  # from fast to slow
    assert mixer(torch.randn(9, WIDTH), Ragged([Piece(9)]), None).isfinite().all()
