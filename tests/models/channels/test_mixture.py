"""Mixtures of experts: those of `transformers`, whatever stands beside a token, and kept in use."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from transformers import DeepseekV3Config, MixtralConfig, Qwen2MoeConfig
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3MoE
from transformers.models.mixtral.modeling_mixtral import (
    MixtralSparseMoeBlock,
    load_balancing_loss_func,
)
from transformers.models.qwen2_moe.modeling_qwen2_moe import Qwen2MoeSparseMoeBlock

from openhearth.models import Piece, Ragged
from openhearth.models.channel_config import MLP, MoE
from openhearth.models.channels.feed_forward import FeedForward
from openhearth.models.channels.mixture import MixtureOfExperts
from openhearth.models.channels.routing import balance_loss, routings, update_bias

WIDTH, HIDDEN = 24, 20
MIXTRAL = MoE(hidden=HIDDEN, experts=8, active=2)
QWEN = MoE(hidden=HIDDEN, experts=8, active=3, normalised=False, shared=36, shared_gate=True)
DEEPSEEK = MoE(
    hidden=HIDDEN,
    experts=16,
    active=4,
    score="sigmoid",
    factor=2.5,
    biased=True,
    groups=4,
    active_groups=2,
    shared=40,
)


def random_layer(config: MoE) -> MixtureOfExperts:
    layer = MixtureOfExperts(config, WIDTH)
    generator = torch.Generator().manual_seed(0)
    for parameter in layer.parameters():
        parameter.data.normal_(0, 0.3, generator=generator)
    return layer


def rows(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))


def theirs_of(config: MoE, ours: MixtureOfExperts) -> torch.nn.Module:
    """The layer of `transformers` with the same weights."""
    sizes = {
        "hidden_size": WIDTH,
        "num_experts_per_tok": config.active,
        "experts_implementation": "eager",
    }
    if config is MIXTRAL:
        theirs = MixtralSparseMoeBlock(
            MixtralConfig(intermediate_size=HIDDEN, num_local_experts=config.experts, **sizes)
        )
    elif config is QWEN:
        theirs = Qwen2MoeSparseMoeBlock(
            Qwen2MoeConfig(
                moe_intermediate_size=HIDDEN,
                shared_expert_intermediate_size=config.shared,
                num_experts=config.experts,
                norm_topk_prob=False,
                **sizes,
            )
        )
    else:
        theirs = DeepseekV3MoE(
            DeepseekV3Config(
                moe_intermediate_size=HIDDEN,
                n_shared_experts=config.shared // HIDDEN,
                n_routed_experts=config.experts,
                n_group=config.groups,
                topk_group=config.active_groups,
                routed_scaling_factor=config.factor,
                **sizes,
            )
        )
    experts = ours.experts
    state = {
        "gate.weight": ours.router.weight,
        "experts.gate_up_proj": torch.cat((experts.gate, experts.up), 1),
        "experts.down_proj": experts.down,
    }
    if ours.router.bias is not None:
        state["gate.e_score_correction_bias"] = ours.router.bias
    if ours.shared is not None:
        name = "shared_expert" if config.shared_gate else "shared_experts"
        for part in ("gate", "up", "down"):
            state[f"{name}.{part}_proj.weight"] = getattr(ours.shared, part).weight
    if ours.shared_gate is not None:
        state["shared_expert_gate.weight"] = ours.shared_gate.weight
    theirs.load_state_dict(state)
    return theirs


@pytest.mark.parametrize("config", [MIXTRAL, QWEN, DEEPSEEK], ids=["mixtral", "qwen", "deepseek"])
@torch.inference_mode()
def test_is_that_of_transformers(config: MoE) -> None:
    ours, x = random_layer(config), rows(50)
    mine, expected = ours(x, Ragged([Piece(50)])), theirs_of(config, ours)(x[None])[0]
    assert expected.std() > 0.05  # the comparison would mean nothing between zeros
    torch.testing.assert_close(mine, expected, atol=1e-5, rtol=1e-5)


@given(st.permutations(range(12)), st.integers(1, 12))
@settings(max_examples=20, deadline=None)
@torch.inference_mode()
def test_a_token_does_not_depend_on_its_neighbours(order: list[int], kept: int) -> None:
    layer, x = random_layer(DEEPSEEK), rows(12)
    alone = torch.cat([layer(row[None], Ragged([Piece(1)])) for row in x])
    some = order[:kept]
    torch.testing.assert_close(layer(x[some], Ragged([Piece(kept)])), alone[some])


@torch.inference_mode()
def test_experts_that_nobody_takes_and_rows_that_are_equal() -> None:
    layer, x = random_layer(MIXTRAL), rows(1).expand(9, WIDTH)
    made = layer(x, Ragged([Piece(9)]))
    torch.testing.assert_close(made, made[:1].expand(9, WIDTH))


def test_the_balance_loss_is_that_of_transformers() -> None:
    layer, x = random_layer(MIXTRAL).requires_grad_(True), rows(64)
    batch = Ragged([Piece(64)])
    layer(x, batch)
    logits = x @ layer.router.weight.T
    expected = load_balancing_loss_func((logits,), MIXTRAL.experts, MIXTRAL.active)
    torch.testing.assert_close(balance_loss(batch), expected)


def test_the_balance_loss_moves_the_router() -> None:
    layer, batch = random_layer(MIXTRAL), Ragged([Piece(64)])
    layer.router.weight.requires_grad_(True)
    layer(rows(64), batch)
    balance_loss(batch).backward()
    assert layer.router.weight.grad is not None
    assert layer.router.weight.grad.abs().max() > 0


@pytest.mark.parametrize("config", [MIXTRAL, DEEPSEEK], ids=["frozen", "biased"])
def test_what_is_not_balanced_by_a_loss_has_none(config: MoE) -> None:
    layer, batch = random_layer(config), Ragged([Piece(64)])
    layer.requires_grad_(config is DEEPSEEK)
    layer(rows(64), batch)
    assert balance_loss(batch) == 0


def test_nothing_is_noted_without_gradients() -> None:
    batch = Ragged([Piece(4)])
    with torch.no_grad():
        random_layer(MIXTRAL)(rows(4), batch)
    assert routings(batch) == []


def test_biases_even_out_the_loads_and_change_no_weights() -> None:
    config = MoE(hidden=HIDDEN, experts=8, active=2, score="sigmoid", biased=True)
    layer, x = random_layer(config), rows(512) + 0.5
    layer.router.bias.data.zero_()

    def step() -> torch.Tensor:
        halves = [Ragged([Piece(256)]), Ragged([Piece(256)])]
        for half, batch in zip(x.split(256), halves, strict=True):
            layer(half, batch)
        loads = sum(routings(batch)[0].loads.float() for batch in halves)
        update_bias(layer.router, loads, rate=1e-2)
        return loads

    before = step()
    for _ in range(300):
        after = step()
    even = 512 * config.active / config.experts
    assert (before - even).abs().max() > 0.5 * even
    assert (after - even).abs().max() < 0.15 * even
    chosen, weights = layer.router(x, Ragged([Piece(512)]))
    scores = (x @ layer.router.weight.T).sigmoid().gather(1, chosen)
    torch.testing.assert_close(weights, scores / scores.sum(1, keepdim=True))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"active": 9}, "cannot take 9 of 8"),
        ({"groups": 3}, "no 3 groups"),
        ({"groups": 8}, "two experts"),
        ({"groups": 2, "active_groups": 3}, "3 of 2 groups"),
        ({"groups": 4, "active": 3}, "cannot take 3 of 2"),
        ({"shared_gate": True}, "needs a shared layer"),
    ],
)
def test_what_does_not_fit_together_is_refused(wrong: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        MoE(**{"hidden": 8, "experts": 8, "active": 2} | wrong)


@torch.inference_mode()
def test_squared_relu_without_biases() -> None:
    layer = FeedForward(MLP(hidden=HIDDEN, activation="relu2", bias=False), WIDTH)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x = rows(5)
    expected = (x @ layer.up.weight.T).clamp(min=0) ** 2 @ layer.down.weight.T
    torch.testing.assert_close(layer(x, Ragged([Piece(5)])), expected)
