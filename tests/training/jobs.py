"""Small jobs in memory: a new model of two blocks, on random tokens."""

from __future__ import annotations

from typing import Any

import torch

from openhearth.data import Tokenizer
from openhearth.models import (
    Attention,
    Block,
    LoraConfig,
    Model,
    ModelConfig,
    MoE,
    ShortConv,
    SwiGLU,
    add_adapter,
)
from openhearth.training import TrainRecipe
from openhearth.training.evaluation import Evaluator
from openhearth.training.group import Group
from openhearth.training.initialise import initialise
from openhearth.training.items import Items
from openhearth.training.loop import Job
from openhearth.training.order import Budget, order
from openhearth.training.recompute import recompute
from openhearth.training.shard import Shares, shard
from openhearth.training.weights import Weights
from tests.training.sources import VOCABULARY, examples

CONFIG = ModelConfig(
    vocab_size=VOCABULARY,
    width=16,
    context_length=256,
    tied_head=True,
    blocks=(
        Block(mixer=Attention(heads=2, kv_heads=1, head_dim=8), channel=SwiGLU(hidden=32)),
        Block(mixer=ShortConv(), channel=SwiGLU(hidden=32)),
    ),
)
MIXTURES = CONFIG.model_copy(
    update={
        "blocks": tuple(
            Block(mixer=CONFIG.blocks[0].mixer, channel=MoE(hidden=16, experts=4, active=2, **kind))
            for kind in ({}, {"score": "sigmoid", "biased": True, "shared": 16})
        )
    }
)
"""Experts balanced by a loss, as in Mixtral, and by biases, as in DeepSeek-V3."""


def make_recipe(**fields: Any) -> TrainRecipe:
    base = {
        "model": "none",
        "data": "none",
        "adapter": None,
        "batch_tokens": 128,
        "epochs": 2,
        "dtype": "float32",
        "optimizer": {"learning_rate": 0.01},
    }
    return TrainRecipe.parse(base | fields)


def make_job(
    recipe: TrainRecipe,
    items: Items | None = None,
    heldout: Items | None = None,
    tokenizer: Tokenizer | None = None,
    device: str = "cpu",
    config: ModelConfig = CONFIG,
    group: Group | None = None,
) -> Job:
    """A job, shared out over a group if the recipe says so."""
    items = items or examples([n % 40 + 4 for n in range(60)])
    model = initialise(config, recipe.seed).to(device)
    sharers = group if recipe.shard and group is not None and group.size > 1 else None
    model, weights, adapter = trained(model, recipe, sharers)
    if recipe.recompute:
        recompute(model)
    budget = Budget(
        recipe.epochs,
        recipe.tokens,
        recipe.batch_tokens,
        recipe.micro_tokens,
        recipe.batch_examples,
        recipe.seed,
    )
    evaluator = Evaluator(
        recipe.evaluation, recipe.objective, heldout, tokenizer or Letters(), adapter, 512
    )
    return Job(recipe, model, adapter, weights, items, order(items, budget), evaluator)


def trained(
    model: Model, recipe: TrainRecipe, sharers: Group | None
) -> tuple[Model, Weights, str | None]:
    if recipe.adapter is None:
        dtype = torch.bfloat16 if recipe.dtype == "bfloat16" else torch.float32
        of_model = (
            Weights.of_model(model, dtype) if sharers is None else Shares(model, dtype, sharers)
        )
        return model, of_model, None
    lora = recipe.adapter
    model.requires_grad_(False)
    config = LoraConfig(lora.rank, lora.alpha, lora.dropout, lora.targets, lora.dora)
    parameters = add_adapter(model, "a", config, recipe.seed)
    if sharers is not None:
        shard(model, sharers)
    return model, Weights({str(i): p for i, p in enumerate(parameters)}), "a"


class Letters(Tokenizer):
    """Tokens that are characters, so that their text has as many bytes."""

    def __init__(self) -> None:
        pass

    def decode(self, ids: Any, *, skip_special: bool = True) -> str:
        return "".join(chr(ord("!") + i) for i in ids)
