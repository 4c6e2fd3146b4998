"""The training loop: forward, loss over what counts, backward, clip, step; checkpoints between."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from openhearth.data import TokenShards
from openhearth.errors import HearthError
from openhearth.models import Model, Piece, Ragged
from openhearth.progress import Progress
from openhearth.training import checkpoint
from openhearth.training.loss import answer_loss
from openhearth.training.order import steps
from openhearth.training.recipe import TuneRecipe

CHECKPOINT_STEPS = 5
WARM_UP = 0.1  # of all steps


@dataclass(frozen=True)
class Run:
    """What a run leaves: the loss of each step (mean nats), its tokens, and the speed measured."""

    losses: list[float]
    tokens: list[int]
    tokens_per_second: float


def train(
    model: Model,
    adapter: str,
    parameters: list[torch.nn.Parameter],
    shards: TokenShards,
    recipe: TuneRecipe,
    work: Path,
    progress: Progress,
) -> Run:
    """Train `parameters`, those of `adapter`, on `shards`, going on from what `work` holds.

    Raises:
        UsageError: nothing to train on.
        HearthError: the loss is not a number any more.
    """
    order = steps(shards, recipe)
    sizes = [int(shards.lengths[examples].sum()) for examples in order]
    optimizer = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=0.0)
    losses = checkpoint.restore(work, parameters, optimizer)
    first, started = len(losses), time.perf_counter()
    model.train()
    for step in range(first, len(order)):
        _set_rate(optimizer, recipe.learning_rate * rate(step, len(order)))
        loss = _loss(model, adapter, shards, order[step])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, recipe.clip)
        optimizer.step()
        losses.append(_finite(loss.item(), step))
        if (step + 1) % CHECKPOINT_STEPS == 0:
            checkpoint.save(work, parameters, optimizer, losses)
        speed = sum(sizes[first : step + 1]) / (time.perf_counter() - started)
        note = f"loss {losses[-1]:.3f}, {speed:.0f} tokens/s"
        progress("tune", sum(sizes[: step + 1]), sum(sizes), note)
    model.eval()
    seconds = time.perf_counter() - started
    return Run(losses, sizes, sum(sizes[first:]) / seconds)


def rate(step: int, total: int) -> float:
    """The share of the full learning rate at `step`: up along a line, then down to zero."""
    warm = max(1, round(WARM_UP * total))
    return min((step + 1) / warm, (total - step) / max(1, total - warm + 1))


def _set_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = value


def _loss(model: Model, adapter: str, shards: TokenShards, examples: list[int]) -> torch.Tensor:
    tokens = torch.from_numpy(np.concatenate([shards.tokens(i) for i in examples]).astype(np.int64))
    counts = [shards.loss(i) for i in examples]
    # A token is predicted from the row before it; the first of an example is never predicted.
    rows = torch.from_numpy(np.flatnonzero(np.concatenate(counts)))
    batch = Ragged([Piece(len(c), adapter=adapter) for c in counts])
    hidden = model(tokens, batch)
    return answer_loss(hidden[rows - 1], model.head_weight, tokens[rows])


def _finite(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        raise HearthError(
            f"The loss is {loss} at step {step + 1}, so the run cannot go on: lower learning_rate."
        )
    return loss
