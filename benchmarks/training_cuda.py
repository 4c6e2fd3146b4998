"""Training on a GPU: our loop with and without compiled layers, and `transformers`.

All weights of SmolLM2-135M's shape and of that of Llama 3.2 1B, new ones, as their values change
nothing about speed; fp32 masters, bfloat16 products, AdamW. A step has 16 documents of 1,024 random
tokens. The peer is its model under autocast, with its own loss and torch's fused AdamW, the same
documents as a batch. Ours has the whole loop: what it draws, clips, checks, and keeps.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from _llamas import Shape, on_gpu
from _results import Row, alternate, seconds

from openhearth.data import Tokenizer, TokenShards
from openhearth.training import TrainRecipe
from openhearth.training.compiled import compile_parts
from openhearth.training.evaluation import Evaluator
from openhearth.training.initialise import initialise
from openhearth.training.items import Examples
from openhearth.training.loop import Job, train
from openhearth.training.order import Budget, order
from openhearth.training.weights import Weights

DOCUMENTS, LENGTH, STEPS, WARM, ROUNDS = 16, 1024, 12, 4, 2
TOKENS = DOCUMENTS * LENGTH
GOAL = 1.0
PEAK = 8192  # the size of the product that tells what the GPU can do


class NoText(Tokenizer):
    """Nothing is written or read."""

    def __init__(self) -> None:
        pass


def documents(words: int) -> Examples:
    """Random ones, for a few steps; all their tokens but the first count."""
    count = DOCUMENTS * STEPS
    lengths = np.arange(count + 1, dtype=np.int64) * LENGTH
    tokens = np.random.default_rng(0).integers(0, words, count * LENGTH).astype("<u4")
    counts = np.tile((np.arange(LENGTH) > 0).astype(np.uint8), count)
    return Examples(TokenShards(lengths, tokens, counts, [{}] * count))


def ours(shape: Shape, *, compiled: bool) -> float:
    """Tokens per second of a run's later steps."""
    recipe = TrainRecipe(
        model="none",
        data="none",
        adapter=None,
        batch_tokens=TOKENS,
        max_tokens=LENGTH,
        dtype="bfloat16",
        checkpoint_steps=10**6,
    )
    items = documents(shape.words)
    model = initialise(shape.ours(LENGTH), 0).to("cuda")
    weights = Weights.of_model(model, torch.bfloat16)
    if compiled:
        compile_parts(model, adapted=False)
    job = Job(
        recipe,
        model,
        None,
        weights,
        items,
        order(items, Budget(1, None, TOKENS, None, None, 0)),
        Evaluator(recipe.evaluation, recipe.objective, None, NoText(), None, TOKENS),
    )
    ends: list[float] = []

    def progress(stage: str, done: float, total: float | None, note: str = "") -> None:
        ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as work:
        train(job, Path(work), progress)
    return TOKENS / statistics.median(np.diff(ends[WARM:]))


def theirs(shape: Shape) -> float:
    """Tokens per second of a plain loop around the model of `transformers`."""
    from transformers import LlamaForCausalLM

    with torch.device("cuda"):
        model = LlamaForCausalLM(shape.theirs()).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    tokens = torch.randint(shape.words, (DOCUMENTS, LENGTH), device="cuda")

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16):
            loss = model(tokens, labels=tokens).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()

    return TOKENS / statistics.median([seconds(step) for _ in range(STEPS)][WARM:])


def peak() -> float:
    """FLOPs per second of a large product in bfloat16."""
    a, b = (torch.randn(PEAK, PEAK, device="cuda", dtype=torch.bfloat16) for _ in range(2))

    def product() -> None:
        a @ b
        torch.cuda.synchronize()

    return 2 * PEAK**3 / statistics.median([seconds(product) for _ in range(20)][5:])


def rows(name: str, shape: Shape) -> list[Row]:
    found = []
    for way, compiled in (("", False), (", compiled", True)):
        pair = alternate(partial(ours, shape, compiled=compiled), partial(theirs, shape), ROUNDS)
        found.append(Row(f"{name}, whole model{way}", "tokens/s", *pair, "transformers", GOAL))
        print(found[-1], flush=True)
    flops = 6 * shape.parameters + 6 * shape.layers * LENGTH * shape.heads * 64
    best = max(row.ours for row in found) * flops
    found.append(
        Row(f"{name}, share of the peak", "TFLOP/s", best / 1e12, peak() / 1e12, "product", 0)
    )
    return found


def main() -> None:
    on_gpu("training_cuda", rows)


if __name__ == "__main__":
    main()
