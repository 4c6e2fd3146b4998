"""Each objective against its formula, computed the slow way from whole logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from openhearth.models import Model, Piece, Ragged
from openhearth.training.initialise import initialise
from openhearth.training.items import Batch, Examples, collate
from openhearth.training.objectives import Contrast, Distill, NextToken, Preference, Sft
from openhearth.training.teacher import Informed
from tests.training.jobs import CONFIG
from tests.training.sources import VOCABULARY, examples

HEADS: list[dict[str, Any]] = [{}, {"tied_head": False, "head_bias": True, "logit_cap": 0.7}]


@pytest.fixture(scope="module", params=HEADS, ids=["plain", "biased and capped"])
def model(request: pytest.FixtureRequest) -> Model:
    model = initialise(CONFIG.model_copy(update=request.param), 0).requires_grad_(True)
    if model.head is not None:
        torch.nn.init.normal_(model.head.bias, generator=torch.Generator().manual_seed(1))
    return model


def log_probs(model: Model, data: Examples, sequence: int) -> torch.Tensor:
    """Of every token of a sequence that counts, the log-probabilities of all tokens there."""
    ids, counts = data.shards.tokens(sequence), data.shards.loss(sequence)
    tokens = torch.from_numpy(ids.astype(np.int64))
    logits = model.logits(model(tokens, Ragged([Piece(len(ids))])))
    return F.log_softmax(logits, -1)[np.flatnonzero(counts) - 1]


def said(model: Model, data: Examples, sequence: int) -> torch.Tensor:
    """The log-probabilities of the tokens that count."""
    ids = data.shards.tokens(sequence)[data.shards.loss(sequence)].astype(np.int64)
    found = log_probs(model, data, sequence)
    return found.gather(1, torch.from_numpy(ids)[:, None])[:, 0]


def same(model: Model, mine: torch.Tensor, theirs: torch.Tensor) -> None:
    """Value and gradients."""
    torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-5)
    weights = list(model.parameters())
    for a, b in zip(
        torch.autograd.grad(mine, weights, allow_unused=True),
        torch.autograd.grad(theirs, weights, allow_unused=True),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


def batch_of(data: Any, chosen: Sequence[int]) -> Batch:
    return collate(data, chosen, None)


@pytest.mark.parametrize("objective", [NextToken(), Sft()])
def test_predictions_are_cross_entropy(model: Model, objective: Any) -> None:
    data = examples([9, 14, 3])
    chosen = [2, 0]
    expected = -torch.cat([said(model, data, i) for i in chosen]).sum()
    same(model, objective.loss(model, batch_of(data, chosen)), expected)
    assert objective.weight(data, chosen) == sum(data.counted(i) for i in chosen)


SETTINGS: list[dict[str, Any]] = [
    {},
    {"beta": 0.5, "normalize": True},
    {"gamma": 0.3, "beta": 2.0},
    {"rpo_alpha": 0.7},
    {"reference": False, "beta": 0.5},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_preferences_are_those_of_the_papers(model: Model, settings: dict[str, Any]) -> None:
    objective = Preference(**settings)
    data = examples([9, 14, 5, 7, 8, 6], together=2)
    with torch.no_grad():
        before = [0.8 * said(model, data, i) for i in range(6)]
    known = Informed(data, {"nats": -torch.cat(before).numpy()}, 3)
    chosen = [2, 0]
    simpo = objective.gamma is not None
    expected = torch.zeros(())
    for i in chosen:
        better, worse = said(model, data, 2 * i), said(model, data, 2 * i + 1)
        if simpo:
            margin = objective.beta * (better.mean() - worse.mean()) - objective.gamma
        else:
            of = torch.mean if objective.normalize else torch.sum
            gained = [
                of(x - objective.reference * y)
                for x, y in ((better, before[2 * i]), (worse, before[2 * i + 1]))
            ]
            margin = objective.beta * (gained[0] - gained[1])
        expected = expected - F.logsigmoid(margin) - objective.rpo_alpha * better.mean()
    same(model, objective.loss(model, batch_of(known, chosen)), expected)
    assert objective.weight(known, chosen) == 2
    assert objective.needs_reference == (objective.reference and not simpo)


@pytest.mark.parametrize("likeliest", [3, VOCABULARY])
def test_distillation_is_a_divergence_from_the_teacher(model: Model, likeliest: int) -> None:
    teacher = initialise(CONFIG, 1)
    data = examples([9, 14])
    objective = Distill(teacher="someone", likeliest=likeliest, mix=0.3)
    with torch.no_grad():
        whole = torch.cat([log_probs(teacher, data, i) for i in range(2)])
    top = whole.topk(likeliest)
    arrays = {"tokens": top.indices.int().numpy(), "log_probs": top.values.numpy()}
    mine = torch.cat([log_probs(model, data, i) for i in range(2)])
    if likeliest < VOCABULARY:
        # All other tokens are one outcome.
        def gathered(full: torch.Tensor) -> torch.Tensor:
            some = full.gather(1, top.indices)
            return torch.cat((some, (1 - some.exp().sum(1, keepdim=True)).log()), 1)

        whole, mine = gathered(whole), gathered(mine)
    apart = F.kl_div(mine, whole, reduction="sum", log_target=True)
    nats = -torch.cat([said(model, data, i) for i in range(2)]).sum()
    batch = batch_of(Informed(data, arrays, 2), [0, 1])
    same(model, objective.loss(model, batch), 0.7 * nats + 0.3 * apart)


@pytest.mark.parametrize("sequences", [2, 3])
def test_a_contrast_finds_each_anchors_own_positive(model: Model, sequences: int) -> None:
    objective = Contrast(sequences=sequences, temperature=0.5)
    data = examples([5, 6, 7, 8, 9, 4], together=sequences)
    chosen = list(range(len(data)))
    vectors = []
    for i in range(6):
        ids = torch.from_numpy(data.shards.tokens(i).astype(np.int64))
        vectors.append(F.normalize(model(ids, Ragged([Piece(len(ids))])).mean(0), dim=0))
    expected = torch.zeros(())
    for anchor in range(0, 6, sequences):
        others = [i for i in range(6) if i % sequences]
        scores = torch.stack([vectors[anchor] @ vectors[i] for i in others]) / 0.5
        expected = expected - F.log_softmax(scores, 0)[others.index(anchor + 1)]
    same(model, objective.loss(model, batch_of(data, chosen)), expected)
