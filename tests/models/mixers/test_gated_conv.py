"""The gated convolution: its forms agree, and it is that of StripedHyena's equations."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from openhearth.errors import UsageError
from openhearth.models import GatedConv, Piece, Ragged
from openhearth.models.mixers.gated_conv import ModalGatedConv
from openhearth.models.mixers.modal import leftover, powers, response
from tests.models.mixers.forms import (
    WIDTH,
    assert_near,
    check_forms,
    check_gradients,
    random_mixer,
)
from tests.models.mixers.slow import long_conv, short_conv, weights_of

CONFIGS = [GatedConv(), GatedConv(modes=5, kernel=4, heads=4), GatedConv(heads=WIDTH, bias=False)]


def layer(config: GatedConv) -> ModalGatedConv:
    mixer = random_mixer(config)
    assert isinstance(mixer, ModalGatedConv)
    return mixer


@pytest.mark.parametrize("config", CONFIGS)
def test_forms_agree(config: GatedConv) -> None:
    check_forms(layer(config), config)


@pytest.mark.parametrize("config", CONFIGS)
def test_gradients_of_the_scan_are_those_of_the_steps(config: GatedConv) -> None:
    check_gradients(layer(config))


@torch.inference_mode()
@pytest.mark.parametrize("config", [GatedConv(), GatedConv(modes=5, heads=4)])
def test_is_that_of_the_published_equations(config: GatedConv) -> None:
    mixer = layer(config)
    w, x = weights_of(mixer), torch.randn(150, WIDTH, generator=torch.Generator().manual_seed(3))
    z = x.double() @ w["into.weight"].T + w["into.bias"]
    z = short_conv(z, w["conv.weight"], w["conv.bias"])
    size = WIDTH // config.heads
    gate, a, b = (  # each head has its three parts beside each other
        torch.cat([z[:, h * 3 * size + part * size :][:, :size] for h in range(config.heads)], -1)
        for part in range(3)
    )
    poles, residues = torch.view_as_complex(w["poles"]), torch.view_as_complex(w["residues"])
    h = torch.stack([(residues * poles**t).sum(1).real[:, 0] for t in range(len(x))])
    y = gate * (long_conv(a * b, h) + w["direct"] * a * b)
    expected = y @ w["out.weight"].T + w["out.bias"]
    assert_near(mixer(x, Ragged([Piece(len(x))]), None).double(), expected, 1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("length", [1, 63, 64, 65, 400])
def test_state_of_a_chunk_comes_at_once(length: int) -> None:
    """From the state before it, as the recurrence makes it token by token in float64."""
    mixer = layer(GatedConv(modes=3))
    poles = torch.view_as_complex(mixer.poles[:, :, 0].double())
    made = torch.randn(2, 7 + length, 3 * WIDTH, generator=torch.Generator().manual_seed(4))
    _, before = mixer.scan(made[:, :7], None)
    _, after = mixer.scan(made[:, 7:], before)
    z, _ = mixer.conv(made, None)
    _, a, b = z.double().chunk(3, dim=-1)
    expected = torch.zeros(2, *poles.shape, dtype=poles.dtype)
    for x in (a * b).unbind(1):
        expected = poles * expected + x[..., None]
    assert_near(after["modes"].double(), torch.view_as_real(expected), 1e-4)


def test_long_texts_lose_no_digits() -> None:
    """exp(t log pole) in fp32 would be off by some 1e-4 here, because its angles are so large."""
    draw = torch.rand(2, 50, 2, generator=torch.Generator().manual_seed(5))
    poles = torch.polar(1 - 1e-3 * draw[0], 3 * draw[1])
    exact = poles.to(torch.complex128)[..., None] ** torch.arange(4000)
    assert_near(powers(poles, 4000).to(torch.complex128), exact, 1e-6)
    filters = response(poles, torch.ones_like(poles), 4000)
    assert_near(filters.double(), exact.real.sum(-2), 1e-5)
    last = leftover(poles, F.one_hot(torch.tensor(0), 4000).float().expand(1, 50, -1))
    assert_near(last[0].to(torch.complex128), exact[..., -1], 1e-5)


def test_fresh_modes_fade_and_keep_the_size_of_noise() -> None:
    mixer = layer(GatedConv(modes=8))
    radius = mixer.poles.detach().norm(dim=-1)
    assert radius.min() > 0.3
    assert radius.max() < 1
    poles, residues = mixer._modes()
    energy = response(poles, residues, 8000).square().sum(-1)
    assert 0.5 < energy.mean() < 2


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(UsageError, match="5 heads do not divide a width of 24"):
        ModalGatedConv(GatedConv(heads=5), WIDTH, 1e-5)


def test_gradients_of_modes_that_fade_at_once_are_numbers() -> None:
    """One over their 64th power is too large for fp32."""
    poles = torch.tensor([[0.25 + 0.01j, 0.9 + 0.1j, 1e-20 + 0j]], requires_grad=True)
    filtered = response(poles, torch.ones(1, 3, dtype=torch.complex64), 200)
    (gradient,) = torch.autograd.grad(filtered.sum(), poles)
    wide = poles.detach().to(torch.complex128).requires_grad_()
    powers_of = torch.stack([wide**t for t in range(200)], dim=-1)
    (expected,) = torch.autograd.grad(powers_of.sum().real, wide)
    assert_near(torch.view_as_real(gradient).double(), torch.view_as_real(expected), 1e-4)
