"""Hyena: its forms agree, and it is that of safari's equations."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from openhearth.models import Hyena, Piece, Ragged
from openhearth.models.mixers.hyena import HyenaMixer
from tests.models.mixers.forms import (
    WIDTH,
    assert_near,
    check_forms,
    check_gradients,
    random_mixer,
)
from tests.models.mixers.slow import implicit_filter, long_conv, short_conv, weights_of

LONG, SHORT = Hyena(taps=80), Hyena(taps=12, kernel=4, features=3, shift=0.05)
"""Filters longer than the texts of the tests, and shorter than most."""


def layer(config: Hyena) -> HyenaMixer:
    mixer = random_mixer(config)
    assert isinstance(mixer, HyenaMixer)
    return mixer


@pytest.mark.parametrize("config", [LONG, SHORT])
def test_forms_agree(config: Hyena) -> None:
    check_forms(layer(config), config)


@pytest.mark.parametrize("config", [LONG, SHORT])
def test_gradients_of_the_scan_are_those_of_the_steps(config: Hyena) -> None:
    check_gradients(layer(config))


@torch.inference_mode()
@pytest.mark.parametrize("config", [LONG, SHORT])
def test_is_that_of_the_published_equations(config: Hyena) -> None:
    mixer = layer(config)
    w, x = weights_of(mixer), torch.randn(70, WIDTH, generator=torch.Generator().manual_seed(3))
    z = x.double() @ w["into.weight"].T + w["into.bias"]
    gate, a, b = short_conv(z, w["conv.weight"], w["conv.bias"]).chunk(3, dim=-1)
    h = implicit_filter(w, "filter.nets.0", config.taps, WIDTH, config.shift)
    y = gate * (long_conv(a * b, h) + w["direct"] * a * b)
    expected = y @ w["out.weight"].T + w["out.bias"]
    assert_near(mixer(x, Ragged([Piece(len(x))]), None).double(), expected, 1e-4)


@torch.no_grad()
def test_filter_is_computed_anew_when_its_weights_change() -> None:
    mixer = layer(LONG)
    first = mixer.filter(9)
    assert mixer.filter(80).data_ptr() == first.data_ptr()
    mixer.filter.frequency.mul_(1.1)
    second = mixer.filter(9)
    assert not torch.equal(first, second)
    with torch.enable_grad():
        assert_near(mixer.filter(9), second, 1e-5)


def test_features_that_are_not_whole_frequencies_are_refused() -> None:
    with pytest.raises(ValidationError, match="not 4"):
        Hyena(taps=8, features=4)
