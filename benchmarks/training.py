"""A LoRA step over real docstring examples: our loop against `transformers` with `peft`.

The same weights, dtype, rank, matrices, examples in each step, clipping and optimiser. The peer
runs in both ways that its users know, a padded batch and one example at a time with accumulated
gradients, and the faster counts. Tokens are real ones, never padding.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from _results import Row, alternate, write
from _sides import side
from _smollm import base, examples, pad, peer, prepare

from openhearth.data import TokenShards
from openhearth.training import TuneRecipe
from openhearth.training.order import steps

RECIPE = TuneRecipe(base="smollm2-135m", data="examples", tokens=4000)


def ours(home: str) -> Callable[[], float]:
    from openhearth.models import LoraConfig, add_adapter, load_model
    from openhearth.progress import silent
    from openhearth.training.loop import train

    prepare(home)
    shards, model = examples("train"), load_model(base())
    parameters = add_adapter(model, "a", LoraConfig(RECIPE.rank, RECIPE.alpha), RECIPE.seed)

    def speed() -> float:
        with tempfile.TemporaryDirectory() as work:
            run = train(model, "a", parameters, shards, RECIPE, Path(work), silent)
        return run.tokens_per_second

    return speed


def theirs(home: str) -> Callable[[bool], float]:
    from peft import LoraConfig, get_peft_model

    prepare(home)
    shards = examples("train")
    config = LoraConfig(r=RECIPE.rank, lora_alpha=RECIPE.alpha, target_modules="all-linear")
    model = get_peft_model(peer(), config).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RECIPE.learning_rate, weight_decay=0.0)

    def speed(padded: bool) -> float:
        start, count = time.perf_counter(), 0
        for group in steps(shards, RECIPE):
            optimizer.zero_grad(set_to_none=True)
            wanted = sum(int(shards.loss(i).sum()) for i in group)
            for part in [group] if padded else [[i] for i in group]:
                batch = collate(shards, part)
                model(**batch, num_items_in_batch=wanted).loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, RECIPE.clip)
            optimizer.step()
            count += int(shards.lengths[group].sum())
        return count / (time.perf_counter() - start)

    return speed


def collate(shards: TokenShards, group: list[int]) -> dict[str, torch.Tensor]:
    """Some examples as `transformers` takes them; -100 marks what does not count."""
    tokens = [shards.tokens(i).tolist() for i in group]
    labels = [
        [t if counts else -100 for t, counts in zip(row, shards.loss(i), strict=True)]
        for row, i in zip(tokens, group, strict=True)
    ]
    return {
        "input_ids": pad(tokens, 0),
        "attention_mask": pad([[1] * len(row) for row in tokens], 0),
        "labels": pad(labels, -100),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        prepare(home)
        us, them = side(partial(ours, home)), side(partial(theirs, home))
        ways = {padded: them(padded) for padded in (True, False)}
        best = max(ways, key=lambda padded: ways[padded])
        print(f"peer: {ways[True]:.0f} tokens/s padded, {ways[False]:.0f} one at a time")
        speeds = alternate(us, lambda: them(best), rounds=5)
        work = f"LoRA rank {RECIPE.rank} on SmolLM2-135M"
        write("training", [Row(work, "tokens/s", *speeds, "transformers + peft", goal=1.0)])


if __name__ == "__main__":
    main()
