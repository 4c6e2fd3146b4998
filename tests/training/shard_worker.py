"""What each process of `test_shard` does: train jobs of several kinds, stop them, and go on.

`python -m tests.training.shard_worker DIRECTORY`, alone or by `torchrun`. The leader leaves what
came of it in `found-SIZE.pt`, and stopped runs for others to go on with in `left-SIZE`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from openhearth.models import Attention, Block, Mamba2, MoE, SwiGLU
from openhearth.training import memory
from openhearth.training.group import Group
from openhearth.training.loop import Job, train
from tests.training.jobs import CONFIG, make_job, make_recipe
from tests.training.sources import examples

MIX = CONFIG.model_copy(
    update={
        "blocks": (
            Block(mixer=Attention(heads=2, kv_heads=1, head_dim=8), channel=SwiGLU(hidden=31)),
            Block(
                mixer=Mamba2(heads=4, head_dim=8, state=8),
                channel=MoE(hidden=8, experts=3, active=2),
            ),
        )
    }
)
"""Beside matrices it has weights that are small, and experts that do not divide evenly."""

KINDS: dict[str, dict[str, Any]] = {
    "whole": {},
    "narrow": {"dtype": "bfloat16"},
    "muon": {"optimizer": {"name": "muon", "learning_rate": 0.01, "weight_decay": 0.1}},
    "adapter": {"adapter": {"rank": 4, "dropout": 0.1, "dora": True}},
    "watched": {"evaluation": {"every": 2, "patience": 3}, "epochs": 4, "recompute": True},
}
STOP = 7  # steps; the checkpoint before it is of step 5


class Stopped(Exception):
    """What stops a run from outside."""


def _stop(stage: str, done: float, total: float | None, note: str = "") -> None:
    if done == STOP:
        raise Stopped


def make(kind: str, group: Group) -> Job:
    """A job whose steps have one to three micro-batches, so that not all have work in each."""
    recipe = make_recipe(**{"micro_tokens": 48, "shard": True, "epochs": 1} | KINDS[kind])
    return make_job(recipe, heldout=examples([30] * 4, seed=9), config=MIX, group=group)


def trained(kind: str, work: Path, group: Group) -> dict[str, Any]:
    """What comes of training in a directory, perhaps from a checkpoint there."""
    job = make(kind, group)
    run = train(job, work, group=group)
    return {
        "weights": job.weights.tensors(),
        "losses": torch.tensor([step.loss for step in run.steps]),
        "norms": torch.tensor([step.norm for step in run.steps]),
        "heldout": torch.tensor([found["loss"] for found in run.evaluations]),
    }


def stopped(kind: str, work: Path, group: Group) -> None:
    """Leave the checkpoint of a run that was stopped."""
    try:
        train(make(kind, group), work, _stop, group)
    except Stopped:
        return
    raise AssertionError(f"The run of {kind} was over before step {STOP}.")


def main(directory: Path) -> None:
    group = Group.join()
    found = {kind: carry_out(kind, directory, group) for kind in KINDS}
    if group.leads:
        torch.save(found, directory / f"found-{group.size}.pt")


def carry_out(kind: str, directory: Path, group: Group) -> dict[str, Any]:
    """A run in one go, one that goes on after a stop, and one that a single process had begun."""
    left, broken, unbroken = (
        directory / f"{name}-{group.size}" / kind for name in ("left", "broken", "unbroken")
    )
    stopped(kind, left, group)
    if group.leads:
        shutil.copytree(left, broken)
    group.agree(None)
    found = {
        "saved": memory._saved(make(kind, group)),
        "unbroken": trained(kind, unbroken, group),
        "resumed": trained(kind, broken, group),
    }
    if group.size > 1:
        found["from one"] = trained(kind, directory / "left-1" / kind, group)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
