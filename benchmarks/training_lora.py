"""LoRA fine-tuning of SmolLM2-135M on real examples: our loop against `trl` with `peft`.

Both sides get the same weights, examples as tokens with the answers marked, rank, matrices, peak
learning rate and schedule, examples a step, clipping, and passes, and are measured on the same
held-out examples by the same formula. The peer runs as its defaults are, and in the ways that its
users know to be faster (weights in the dtype that this machine multiplies faster, no recomputing,
examples of like length together, fewer at a time, packed without padding), of which the fastest
counts; they are tried on fewer examples first. A run is a process of its own with two threads, so
that its peak of memory is its own. Tokens are those of the examples, without padding. `--short`
takes few examples.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from _memory import peak_bytes
from _peers import peer_python, pinned
from _results import Row, write

HERE = Path(__file__).parent
RATE, RANK, ALPHA, CLIP, EXAMPLES_A_STEP = 1e-3, 16, 32, 1.0, 8
THREADS, MICRO_TOKENS = 2, 1024
SETTINGS = {"rate": RATE, "rank": RANK, "alpha": ALPHA, "clip": CLIP, "examples": EXAMPLES_A_STEP}
NARROW = {"gradient_checkpointing": False, "bf16": True, "dtype": "bfloat16"}
LENGTHS = {"train_sampling_strategy": "group_by_length"}
PEER_WAYS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "fp32": {"gradient_checkpointing": False, "bf16": False},
    "bf16 autocast": {"gradient_checkpointing": False, "bf16": True},
    "bf16 weights": NARROW,
    "bf16 weights, lengths": NARROW | LENGTHS,
    "bf16 weights, lengths, 2 at a time": NARROW
    | LENGTHS
    | {"per_device_train_batch_size": 2, "gradient_accumulation_steps": EXAMPLES_A_STEP // 2},
    "bf16 weights, packed": NARROW | {"packing": True, "per_device_train_batch_size": 1},
}


@dataclass(frozen=True)
class Outcome:
    """What a run measured: real tokens a second, the held-out loss after it, peak memory."""

    tokens_per_second: float
    heldout: float
    bytes: float


def prepare(folder: Path, examples: int) -> None:
    """A store, and beside it what the peer reads: a model's directory, and examples as tokens."""
    import _smollm

    _smollm.prepare(str(folder))
    _smollm.peer("float32").save_pretrained(folder / "model")
    for split, count in (("train", examples), ("heldout", max(16, examples // 4))):
        shards = _smollm.examples(split)
        rows = [
            {
                "input_ids": shards.tokens(i).tolist(),
                "completion_mask": shards.loss(i).astype(int).tolist(),
            }
            for i in range(min(count, len(shards)))
        ]
        (folder / f"{split}.json").write_text(json.dumps(rows))


def take(folder: Path, count: int, into: Path) -> None:
    """The first examples of what was prepared."""
    for split in ("train", "heldout"):
        examples = json.loads((folder / f"{split}.json").read_text())
        (into / f"{split}.json").write_text(json.dumps(examples[:count]))
    (into / "model").symlink_to(folder / "model")


def ours(folder: Path) -> Outcome:
    """A run of our loop in this process."""
    os.environ["OPENHEARTH_HOME"] = str(folder)
    import _smollm
    import numpy as np
    import torch

    from openhearth.data import Tokenizer, TokenShards
    from openhearth.models import LoraConfig, add_adapter, load_model
    from openhearth.training import TrainRecipe
    from openhearth.training.evaluation import Evaluator
    from openhearth.training.items import Examples
    from openhearth.training.loop import Job, train
    from openhearth.training.order import order
    from openhearth.training.train import budget_of
    from openhearth.training.weights import Weights

    def items(split: str) -> Examples:
        rows = json.loads((folder / f"{split}.json").read_text())
        lengths = [len(row["input_ids"]) for row in rows]
        shards = TokenShards(
            np.cumsum([0, *lengths]),
            np.concatenate([row["input_ids"] for row in rows]).astype("<u4"),
            np.concatenate([row["completion_mask"] for row in rows]).astype(np.uint8),
            [{} for _ in rows],
        )
        return Examples(shards)

    recipe = TrainRecipe.parse(
        {
            "model": _smollm.NAME,
            "data": "examples",
            "batch_tokens": 1 << 20,
            "batch_examples": EXAMPLES_A_STEP,
            "micro_tokens": MICRO_TOKENS,
            "optimizer": {"learning_rate": RATE},
            "clip": CLIP,
            "evaluation": {"every": 1 << 20, "items": 1 << 20},
        }
    )
    torch.manual_seed(0)
    base = _smollm.base()
    model = load_model(base)
    parameters = add_adapter(model, "a", LoraConfig(RANK, ALPHA), recipe.seed)
    data, heldout = items("train"), items("heldout")
    budget = budget_of(recipe)
    tokenizer = Tokenizer.load(base)
    evaluator = Evaluator(recipe.evaluation, recipe.objective, heldout, tokenizer, "a", 2048)
    weights = Weights({str(i): p for i, p in enumerate(parameters)})
    job = Job(recipe, model, "a", weights, data, order(data, budget), evaluator)
    with tempfile.TemporaryDirectory() as work:
        run = train(job, Path(work))
    return Outcome(run.tokens_per_second, run.evaluations[-1]["loss"], peak_bytes())


def measure(python: str | Path, script: str, *arguments: str) -> Outcome:
    """A run in a process of its own, which prints its outcome as its last line."""
    command = [str(python), str(HERE / script), *arguments]
    threads = os.environ | {"OMP_NUM_THREADS": str(THREADS)}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=threads)
    return Outcome(**json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--ours", metavar="FOLDER", type=Path)
    options = parser.parse_args()
    if options.ours:
        print(json.dumps(asdict(ours(options.ours))))
        return
    python = peer_python("trl", "torch==2.13.0", pinned("trl"), pinned("peft"))
    examples, tried, rounds = (16, 8, 1) if options.short else (64, 16, 2)
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as fewer:
        prepare(Path(home), examples)
        take(Path(home), tried, Path(fewer))

        def us() -> Outcome:
            return measure(sys.executable, "training_lora.py", "--ours", home)

        def peer(way: str, folder: str = home) -> Outcome:
            said = json.dumps(SETTINGS | {"more": PEER_WAYS[way]})
            return measure(python, "_trl.py", folder, said)

        trials = {way: peer(way, fewer) for way in PEER_WAYS}
        for way, outcome in trials.items():
            print(f"peer, {way}: {outcome}", flush=True)
        best = max(trials, key=lambda way: trials[way].tokens_per_second)
        defaults = peer("defaults")
        pairs = [(us(), peer(best)) for _ in range(rounds)]
    mine, theirs = zip(*pairs, strict=True)
    found = rows(mine, [defaults], "defaults", 2.0) + rows(mine, theirs, best, 1.4)
    write("training_lora", found)


def rows(mine: Sequence[Outcome], theirs: Sequence[Outcome], way: str, goal: float) -> list[Row]:
    """Our medians beside those of the peer, run in one way."""
    found = []
    for what, unit, wanted, less in (
        ("tokens_per_second", "tokens/s", goal, False),
        ("bytes", "bytes", 1 / 0.6, True),
        ("heldout", "nats", 0.99, True),
    ):
        values = [statistics.median(getattr(o, what) for o in side) for side in (mine, theirs)]
        found.append(Row(f"LoRA, {what}", unit, *values, f"trl + peft, {way}", wanted, less))
    return found


if __name__ == "__main__":
    main()
