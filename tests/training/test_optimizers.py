"""Muon against torch's, which weights go to whom, and state that comes back."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from openhearth.training.muon import Muon, orthogonal
from openhearth.training.optimizers import Optimizer, OptimizerRecipe, decays, is_matrix

SHAPES = {
    "blocks.0.mixer.q.weight": (8, 12),
    "blocks.1.mixer.q.weight": (8, 12),
    "blocks.0.channel.down.weight": (12, 8),
    "blocks.0.mixer_norm.weight": (12,),
    "embed.weight": (20, 12),
}


def weights(seed: int = 0) -> dict[str, torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.nn.Parameter(torch.randn(shape, generator=generator))
        for name, shape in SHAPES.items()
    }


def step(optimizer: Optimizer, number: int) -> None:
    generator = torch.Generator().manual_seed(number)
    for weight in optimizer.weights.values():
        weight.grad = torch.randn(weight.shape, generator=generator)
    optimizer.step(1.0)


def test_muon_is_the_one_of_torch() -> None:
    """In bfloat16, as there; torch's scale for an update of AdamW's size is ours."""
    ours, theirs = weights(), weights()
    matrices = [name for name, shape in SHAPES.items() if len(shape) == 2]
    settings = {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1}
    mine = Muon([ours[n] for n in matrices], dtype=torch.bfloat16, **settings)
    other = torch.optim.Muon(
        [theirs[n] for n in matrices], adjust_lr_fn="match_rms_adamw", **settings
    )
    for number in range(5):
        generator = torch.Generator().manual_seed(number)
        for name in matrices:
            gradient = torch.randn(SHAPES[name], generator=generator)
            ours[name].grad, theirs[name].grad = gradient, gradient.clone()
        mine.step()
        other.step()
    for name in matrices:
        torch.testing.assert_close(ours[name], theirs[name], atol=2e-3, rtol=0)


@given(rows=st.integers(1, 12), columns=st.integers(1, 12), seed=st.integers(0, 100))
def test_an_update_has_singular_values_of_about_one(rows: int, columns: int, seed: int) -> None:
    matrices = torch.randn(3, rows, columns, generator=torch.Generator().manual_seed(seed))
    values = torch.linalg.svdvals(matrices)
    whole = values[:, -1] > 0.1 * values[:, 0]  # five steps do not lift the smallest ones
    made = torch.linalg.svdvals(orthogonal(matrices))[whole]
    assert ((made > 0.5) & (made < 1.4)).all()


def test_muon_gets_the_matrices_of_blocks_and_only_matrices_decay() -> None:
    named = weights()
    assert [n for n, w in named.items() if is_matrix(n, w)] == list(SHAPES)[:3]
    assert [n for n, w in named.items() if decays(n, w)] == list(SHAPES)[:3]
    optimizer = Optimizer(OptimizerRecipe(name="muon"), named)
    step(optimizer, 0)
    kinds = {key.rpartition(".")[0]: key.rpartition(".")[2] for key in optimizer.tensors()}
    assert kinds["blocks.0.mixer.q.weight"] == "momentum_buffer"
    assert kinds["embed.weight"] in ("step", "exp_avg", "exp_avg_sq")


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_restored_optimizer_goes_on_bit_for_bit(name: str) -> None:
    recipe = OptimizerRecipe(name=name, weight_decay=0.1)
    whole = Optimizer(recipe, weights())
    for number in range(3):
        step(whole, number)
    broken = Optimizer(recipe, weights())
    for number in range(2):
        step(broken, number)
    values = {n: w.detach().clone() for n, w in broken.weights.items()}
    state = {n: t.clone() for n, t in broken.tensors().items()}
    resumed = Optimizer(recipe, {n: torch.nn.Parameter(v) for n, v in values.items()})
    resumed.restore(state)
    step(resumed, 2)
    for n, weight in whole.weights.items():
        assert torch.equal(weight, resumed.weights[n])
    resumed.zero_grad()
    assert all(weight.grad is None for weight in resumed.weights.values())
