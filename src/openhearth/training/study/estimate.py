"""How long a study will take: every model's speed on this machine, by a step of each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from openhearth.models import ModelConfig, Piece, Ragged
from openhearth.progress import Progress, silent
from openhearth.training.initialise import initialise
from openhearth.training.items import Batch
from openhearth.training.objectives import NextToken
from openhearth.training.study.grid import Run

TIMED = 2  # steps, of which the faster counts


@dataclass(frozen=True)
class Estimate:
    """What is left to be done: `done` of the runs are in the store already."""

    runs: int
    done: int
    flops: float
    seconds: float


def estimate(
    runs: Sequence[Run],
    missing: Sequence[Run],
    *,
    batch_tokens: int,
    heldout_tokens: int,
    progress: Progress = silent,
) -> Estimate:
    """How long the missing ones of a study's runs take, one after the other, each of which is
    measured on so many tokens.
    """
    models = list({run.model: run for run in missing}.values())
    seconds = {}
    for number, run in enumerate(models):
        seconds[run.model] = seconds_per_token(run.model, run.context, batch_tokens)
        progress("estimate", number + 1, len(models), f"{1 / seconds[run.model]:.0f} tokens/s")
    return Estimate(
        len(runs),
        len(runs) - len(missing),
        sum(run.flops for run in missing),
        # Without a backward pass, which costs twice as much as a forward one.
        sum((run.tokens + heldout_tokens / 3) * seconds[run.model] for run in missing),
    )


def seconds_per_token(config: ModelConfig, context: int, batch_tokens: int) -> float:
    """Of training; measured, with random tokens."""
    model = initialise(config, 0).requires_grad_(True)
    rows = batch_tokens // context
    tokens = torch.arange(rows * context) % config.vocab_size
    targets = torch.arange(rows * context).view(rows, context)[:, 1:].flatten()
    best = float("inf")
    for _ in range(TIMED):
        batch = Batch(
            tokens, Ragged([Piece(context)] * rows), targets, torch.full((rows,), context - 1), {}
        )
        started = time.perf_counter()
        NextToken().loss(model, batch).backward()
        best = min(best, time.perf_counter() - started)
    return best / (rows * context)
