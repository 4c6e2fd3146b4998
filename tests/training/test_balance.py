"""Experts stay in use while a mixture trains, and their biases are part of what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from openhearth.models import Model, load_model
from openhearth.models.channels.routing import routings
from openhearth.training.balance import Balance, Balancer
from openhearth.training.items import collate
from openhearth.training.loop import Job, train
from tests.training.imported import train_imported
from tests.training.jobs import MIXTURES, make_job, make_recipe


def loads(job: Job) -> list[torch.Tensor]:
    """The share of the tokens that each expert gets, layer by layer, 1 when all is even."""
    batch = collate(job.items, range(len(job.items)), None)
    job.model(batch.tokens, batch.ragged)
    found = [made.loads.float() for made in routings(batch.ragged)]
    return [load / load.mean() for load in found]


def skewed(**fields: Any) -> Job:
    """One whose tokens have much in common, so that nearly all of them take the same experts."""
    job = make_job(make_recipe(epochs=8, **fields), config=MIXTURES)
    job.model.embed.weight.data += 0.1
    for block in job.model.blocks:
        block.channel.router.weight.data *= 3
    return job


def test_balance_improves_by_both_ways(tmp_path: Path) -> None:
    before = loads(skewed())
    uneven, even = (
        skewed(balance=balance) for balance in ({"loss": 0, "rate": 0}, {"loss": 0.1, "rate": 0.01})
    )
    for number, job in enumerate((uneven, even)):
        train(job, tmp_path / str(number))
    for first, left, balanced in zip(before, loads(uneven), loads(even), strict=True):
        worst = [(load - 1).abs().max() for load in (first, left, balanced)]
        assert worst[2] < 0.5 * min(worst[:2])


def test_biases_do_not_depend_on_how_a_step_is_cut(tmp_path: Path) -> None:
    """The counts are those of the whole step."""
    whole, pieces = (
        make_job(make_recipe(tokens=100, micro_tokens=micro), config=MIXTURES)
        for micro in (None, 48)
    )
    for number, job in enumerate((whole, pieces)):
        run = train(job, tmp_path / str(number))
        assert len(run.steps) == 1
    bias = "blocks.1.channel.router.bias"
    moved = whole.weights.masters[bias]
    assert set(moved.tolist()) <= {0.0, *torch.tensor([0.001, -0.001]).tolist()}
    assert moved.any()
    assert torch.equal(moved, pieces.weights.masters[bias])


def test_a_frozen_model_is_not_balanced() -> None:
    job = make_job(make_recipe(adapter={"rank": 4}), config=MIXTURES)
    balancer = Balancer(Balance(), job.model)
    batch = collate(job.items, [0, 1], job.adapter)
    job.model(batch.tokens, batch.ragged)
    assert balancer.take(batch.ragged) == 0
    assert balancer.loads == []


def biases(model: Model) -> list[torch.Tensor]:
    return [weight for name, weight in model.named_parameters() if name.endswith("router.bias")]


@pytest.mark.parametrize("family", ["mixtral", "dots1", "glm4 moe"])
def test_mixtures_from_elsewhere_train(family: str, tmp_path: Path) -> None:
    base, made, losses = train_imported(family, tmp_path, adapter=None, epochs=10)
    assert losses[-1] < 0.7 * losses[0]
    before, after = (biases(load_model(artifact, "float32")) for artifact in (base, made))
    assert len(before) == (0 if family == "mixtral" else 2)
    for old, new in zip(before, after, strict=True):
        steps = (new - old) / 0.001  # up or down once a step, and by nothing else
        assert 0 < steps.abs().max() <= len(losses) + 1e-2
        torch.testing.assert_close(steps, steps.round(), atol=1e-2, rtol=0)
