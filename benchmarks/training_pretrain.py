"""Pre-training models of 10 and 30 million parameters: our loop against the machine, the Hugging
Face `Trainer`, and a plain loop in PyTorch.

- **The machine**: FLOPs a second as a share of what torch's products reach here in the same dtype.
- **The trainer**: tokens a second of the same shape on the same rows, in whichever of fp32 and bf16
  (autocast) it is faster; ours in the dtype that it finds by its probe, with AdamW as theirs.
- **The plain loop** (`_plain_loop.py`): the held-out loss after the same time, on the same rows and
  of the same tokens; ours as we would train such a model. Seconds are those of steps alone.

Each side is a process with two threads that waits while the other measures. `--short` is to see
that everything runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import _plain_loop
import torch
from _peers import peer_python, peer_side, pinned
from _pretraining import (
    BATCH,
    SHAPES,
    THREADS,
    Text,
    begin,
    flops_per_token,
    product_flops,
    run,
)
from _results import Row, alternate, write
from _sides import Measure, side

HERE = Path(__file__).parent
ADAMW = {"optimizer": {"learning_rate": 1e-3, "weight_decay": 0.1, "beta2": 0.95}}
RECOMMENDED = {
    "optimizer": {"name": "muon", "learning_rate": 3e-3, "weight_decay": 0.1, "beta2": 0.95},
    "schedule": {"kind": "wsd", "warm_up": 0.05, "decay": 0.6},
    "clip": 1.0,
}
PLAIN_RATE = 2e-3


@dataclass(frozen=True)
class Extent:
    """How much is done: steps of a turn, measures of a share, turns beside a peer, and seconds for
    the same loss, by model.
    """

    steps: dict[str, int]
    shares: int
    rounds: int
    seconds: dict[str, float]


FULL = Extent({"10M": 4, "30M": 2}, 5, 2, {"10M": 60.0, "30M": 90.0})
SHORT = Extent({"10M": 1, "30M": 1}, 1, 1, {"10M": 8.0, "30M": 8.0})


def ours(name: str) -> Measure:
    """Our side: `speed` of some steps in a dtype, `share` of the products', `learn` for a time."""
    begin()
    config, text = SHAPES[name].config, Text(SHAPES[name].vocabulary)

    def speed(steps: int, dtype: str) -> float:
        return run(config, text, steps, dtype=dtype, **ADAMW).tokens_per_second

    def share(steps: int, dtype: str) -> float:
        most = product_flops(getattr(torch, dtype))
        return speed(steps, dtype) * flops_per_token(config, text, steps) / most

    def learn(seconds: float) -> tuple[float, float]:
        """Seconds it took, and the loss."""
        trial = run(config, text, 2, **RECOMMENDED).tokens_per_second
        done = run(config, text, round(seconds * trial / BATCH), looks=True, **RECOMMENDED)
        return done.measured[1], done.evaluations[-1]["loss"]

    verbs: dict[str, Callable[..., Any]] = {"speed": speed, "share": share, "learn": learn}
    return lambda verb, *arguments: verbs[verb](*arguments)


def plain(name: str, folder: str) -> Measure:
    """The plain loop: for so many seconds, in whichever dtype it does more tokens."""
    begin()
    train = partial(_plain_loop.train, SHAPES[name], Path(folder), BATCH)

    def learn(seconds: float) -> tuple[float, float]:
        done = {n: train(seconds / 10, PLAIN_RATE, n).per_second for n in (False, True)}
        outcome = train(seconds, PLAIN_RATE, done[True] > done[False])
        return outcome.seconds, outcome.heldout

    return learn


def compare(name: str, extent: Extent, python: Path) -> list[Row]:
    """All rows of one model."""
    begin()
    shape, steps = SHAPES[name], extent.steps[name]
    with tempfile.TemporaryDirectory() as folder:
        Text(shape.vocabulary).write(Path(folder), steps=400)
        ask, ask_plain = side(partial(ours, name)), side(partial(plain, name, folder))
        said = json.dumps(asdict(shape)), folder, str(BATCH), str(THREADS)
        trainer = peer_side(python, HERE / "_hf_trainer.py", *said)
        ask("speed", 1, "auto"), ask_plain(1.0), trainer(1, False)  # until all are ready
        return [
            *(_share(name, ask, steps, dtype, extent.shares) for dtype in ("float32", "bfloat16")),
            _speed(name, ask, trainer, steps, extent.rounds),
            _loss(name, ask, ask_plain, extent.seconds[name]),
        ]


def _share(name: str, ask: Measure, steps: int, dtype: str, times: int) -> Row:
    shares = [ask("share", steps, dtype) for _ in range(times + 1)][1:]
    found = statistics.median(shares)
    return Row(f"{name}: share of products, {dtype}", "", found, 1.0, "products alone", 0.75)


def _speed(name: str, ask: Measure, trainer: Measure, steps: int, rounds: int) -> Row:
    narrow = trainer(steps, True) > trainer(steps, False)
    mine, theirs = partial(ask, "speed", steps, "auto"), partial(trainer, steps, narrow)
    speeds = alternate(mine, theirs, rounds)
    peer = f"Trainer, {'bf16' if narrow else 'fp32'}"
    return Row(f"{name}: training", "tokens/s", *speeds, peer, 1.3)


def _loss(name: str, ask: Measure, ask_plain: Measure, seconds: float) -> Row:
    (took, loss), (peer_took, peer_loss) = ask("learn", seconds), ask_plain(seconds)
    print(f"{name}: {loss:.3f} after {took:.0f} s, plain {peer_loss:.3f} after {peer_took:.0f} s")
    work = f"{name}: held-out loss after {seconds:.0f} s"
    return Row(work, "nats", loss, peer_loss, "plain loop", 1.0, less_is_better=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", choices=SHAPES)
    options = parser.parse_args()
    python = peer_python("trl", "torch==2.13.0", pinned("trl"), pinned("peft"))
    extent = SHORT if options.short else FULL
    names = [options.only] if options.only else list(SHAPES)
    write("training_pretrain", [row for name in names for row in compare(name, extent, python)])


if __name__ == "__main__":
    main()
