"""M2-BERT's mixer: it is that of the published equations, and no text sees another."""

from __future__ import annotations

import pytest
import torch

from openhearth.errors import UsageError
from openhearth.models import Block, Model, ModelConfig, Monarch, MonarchMLP, Piece, Ragged
from openhearth.models.mixers.monarch import MonarchMixer
from tests.models.mixers.forms import WIDTH, assert_near, random_mixer
from tests.models.mixers.slow import implicit_filter, long_conv, short_conv, weights_of

LENGTHS = (7, 1, 40, 7, 25)
LONG, SHORT = Monarch(taps=64, hidden=16), Monarch(taps=12, residual=False, shift=0.1)


def layer(config: Monarch) -> MonarchMixer:
    mixer = random_mixer(config)
    assert isinstance(mixer, MonarchMixer)
    return mixer


def texts() -> torch.Tensor:
    return torch.randn(sum(LENGTHS), WIDTH, generator=torch.Generator().manual_seed(3))


def slow(mixer: MonarchMixer, config: Monarch, text: torch.Tensor) -> torch.Tensor:
    """The equations for one text, in float64."""
    w, x = weights_of(mixer), text.double()

    def both(name: str, x: torch.Tensor) -> torch.Tensor:
        nets = (f"{name}.filter.nets.{way}" for way in range(2))
        before, after = (implicit_filter(w, n, config.taps, WIDTH, config.shift) for n in nets)
        return long_conv(x, before, after) + w[f"{name}.direct"] * x

    z = x @ w["into.weight"].T + w["into.bias"]
    first, gate, value = short_conv(z, w["conv.weight"], w["conv.bias"]).chunk(3, dim=-1)
    y = gate * both("gated", first * value)
    if config.residual:
        y = y + both("residual", x)
    return y @ w["out.weight"].T + w["out.bias"]


@torch.inference_mode()
@pytest.mark.parametrize("config", [LONG, SHORT])
def test_texts_in_one_batch_are_each_that_of_the_equations(config: Monarch) -> None:
    mixer, x = layer(config), texts()
    mixed = mixer(x, Ragged([Piece(n) for n in LENGTHS]), None)
    expected = torch.cat([slow(mixer, config, text) for text in x.split(LENGTHS)])
    assert_near(mixed.double(), expected, 1e-4)


def test_gradients_are_those_of_the_equations() -> None:
    mixer, x = layer(LONG), texts()[: LENGTHS[0]].requires_grad_()
    toward = torch.randn(x.shape, generator=torch.Generator().manual_seed(4))
    out = mixer(x, Ragged([Piece(len(x))]), None)
    (got,) = torch.autograd.grad((out * toward).sum(), x)
    (expected,) = torch.autograd.grad((slow(mixer, LONG, x) * toward).sum(), x)
    assert_near(got, expected, 1e-4)


def test_no_text_learns_from_another() -> None:
    mixer, x = layer(LONG), texts().requires_grad_()
    out = mixer(x, Ragged([Piece(n) for n in LENGTHS]), None)
    own = slice(8, 48)
    (gradient,) = torch.autograd.grad(out[own].square().sum(), x)
    assert gradient[own].abs().min(dim=1).values.min() > 0
    gradient[own] = 0
    assert not gradient.any()


def test_a_model_with_it_is_an_encoder() -> None:
    blocks = (Block(mixer=LONG, channel=MonarchMLP(hidden=32)),)
    model = Model(ModelConfig(vocab_size=9, width=WIDTH, context_length=64, blocks=blocks))
    model.config.check_encodes()
    with pytest.raises(UsageError, match="encoder"):
        model.new_states(1, 64)
