"""A hybrid beside a transformer of equal size, from nothing, on equal data for equal FLOPs.

The hybrid has three layers of Mamba-2 for each of attention, and narrower channel mixers, so that
both have as many parameters. Compared are the held-out loss, tokens a second in training, and what
one sequence keeps while it is written, at three lengths of text (keys and values with sixteen bits,
states with 32). Speeds have no goal: they tell what the loss costs. `--short` trains few steps.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from _pretraining import BATCH, ROW, SHAPES, Text, begin, run
from _results import Row, alternate, write

from openhearth.models import ModelConfig, design
from openhearth.models.size import measure
from openhearth.training.study.flops import training_flops

LENGTHS = (2048, 8192, 32768)
STEPS, SHORT_STEPS = 40, 2  # of the transformer
VOCABULARY = SHAPES["10M"].vocabulary
SIZE = {"width": 256, "heads": 8, "kv_heads": 4, "vocab_size": VOCABULARY, "context_length": ROW}
MAMBA = {"name": "mamba2", "state": 64}
RECIPE: dict[str, Any] = {
    "optimizer": {"learning_rate": 2e-3, "weight_decay": 0.1, "beta2": 0.95},
    "schedule": {"kind": "wsd", "warm_up": 0.05, "decay": 0.6},
}


def model(blocks: list[Any], hidden: int) -> ModelConfig:
    return design(SIZE | {"tied_head": True, "blocks": blocks, "hidden": hidden})


TRANSFORMER = model(["attention"] * 8, 704)
HYBRID = model([MAMBA, MAMBA, MAMBA, "attention"] * 2, 476)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    steps = SHORT_STEPS if parser.parse_args().short else STEPS
    begin()
    text = Text(VOCABULARY)
    flops = training_flops(TRANSFORMER, ROW) * BATCH * steps
    both = HYBRID, TRANSFORMER
    losses, speeds = [], alternate(*(partial(speed, config, text) for config in both), rounds=2)
    for config in both:
        trained = round(flops / training_flops(config, ROW) / BATCH)
        done = run(config, text, trained, looks=True, **RECIPE)
        losses.append(done.evaluations[-1]["loss"])
        parameters = measure(config).total.parameters
        print(f"{parameters:,} parameters, {trained * BATCH:,} tokens, {losses[-1]:.3f} nats")
    write("training_hybrid", rows(flops, losses, speeds))


def speed(config: ModelConfig, text: Text) -> float:
    """Tokens a second of two steps."""
    return run(config, text, 2, **RECIPE).tokens_per_second


def rows(flops: float, losses: list[float], speeds: tuple[float, float]) -> list[Row]:
    """Of the hybrid, and the transformer as its peer."""
    loss = f"held-out loss after {flops:.2g} FLOPs"
    found = [
        Row(loss, "nats", *losses, "transformer", 1.0, less_is_better=True),
        Row("training", "tokens/s", *speeds, "transformer", 0.0),
    ]
    for length in LENGTHS:
        kept = [float(measure(config, length).state_bytes) for config in (HYBRID, TRANSFORMER)]
        work = f"kept of {length} tokens"
        found.append(Row(work, "bytes", *kept, "transformer", 1.0, less_is_better=True))
    return found


if __name__ == "__main__":
    main()
