"""Hyena distilled: planted modes are found again, and the error is what it says."""

from __future__ import annotations

import pytest
import torch

from openhearth.models import Hyena, Piece, Ragged
from openhearth.models.mixers.hyena import HyenaMixer
from openhearth.models.mixers.modal import response
from openhearth.models.mixers.to_modal import fit, to_modal
from tests.models.mixers.forms import WIDTH, assert_near, random_mixer


@pytest.fixture(scope="module")
def hyena() -> HyenaMixer:
    """One whose filter is smooth; fresh ones are not."""
    mixer = random_mixer(Hyena(taps=128, kernel=4, frequency=2))
    assert isinstance(mixer, HyenaMixer)
    return mixer


def test_planted_modes_are_found_again() -> None:
    generator = torch.Generator().manual_seed(0)
    draw = torch.rand(2, 6, 3, generator=generator, dtype=torch.float64)
    poles = torch.polar(1 - draw[0] / 10, 3 * draw[1])
    poles[0] = poles[0].abs()  # real ones
    residues = torch.randn(6, 3, generator=generator, dtype=torch.complex128)
    taps = response(poles, residues, 100)
    for modes in (3, 5):
        assert_near(response(*fit(taps, modes), 100), taps, 1e-8)


def test_poles_that_would_not_fade_are_held_back() -> None:
    growing = 1.01 ** torch.arange(64, dtype=torch.float64)
    poles, _ = fit(growing[None], 2)
    assert poles.abs().max() < 1


@torch.inference_mode()
def test_error_is_what_it_says_and_shrinks(hyena: HyenaMixer) -> None:
    worst = []
    for modes in (1, 3, 6):
        layer, error = to_modal(hyena, modes)
        taps = hyena.filter(128)[0]
        made = response(*layer._modes(), 128)
        made[:, 0] += layer.direct - hyena.direct
        assert_near((made - taps).norm(dim=1) / taps.norm(dim=1), error, 1e-4)
        worst.append(float(error.max()))
    assert worst[0] > worst[1] > worst[2]
    assert worst[2] < 0.01


@torch.inference_mode()
def test_layer_computes_what_hyena_does(hyena: HyenaMixer) -> None:
    layer, error = to_modal(hyena, 6)
    x = torch.randn(128, WIDTH, generator=torch.Generator().manual_seed(1))
    expected, made = (mixer(x, Ragged([Piece(128)]), None) for mixer in (hyena, layer))
    assert (made - expected).norm() / expected.norm() < 2 * error.max()
