"""Jobs of the kind `data`: the payload is a recipe of data, the result names what was made."""

from __future__ import annotations

from typing import Any

from openhearth.data import CurateRecipe
from openhearth.data.carry_out import carry_out
from openhearth.platform.jobs.task import Task

STEP = 0.05  # of a stage, after which it is told again


def run(task: Task) -> dict[str, Any]:
    """Curate. What was done stays, part by part, so another attempt goes on by itself."""
    task.pause()  # for one that was cancelled meanwhile
    recipe = CurateRecipe.parse(task.payload)
    dataset, tokens = carry_out(task.store, recipe, _Watch(task))
    return {
        "kind": dataset.kind,
        "digest": dataset.digest,
        "name": recipe.name,
        "metrics": dataset.manifest.metrics,
        "funnel": [
            {name: step[name] for name in ("name", "kept", "removed", "lines")}
            for step in dataset.read_json("funnel.json")
        ],
        "tokens": tokens and {"digest": tokens.digest, "metrics": tokens.manifest.metrics},
    }


class _Watch:
    """Turns progress into events and checkpoints, and its calls into places to stop at."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._told: tuple[str, float] = ("", 0.0)

    def __call__(self, stage: str, done: float, total: float | None, note: str = "") -> None:
        self._task.pause()
        share = done / total if total else 0.0
        if stage != self._told[0]:
            self._task.event("progress", f"{stage}.", {"stage": stage})
        elif share < self._told[1] + STEP:
            return
        self._told = stage, share
        self._task.save({"stage": stage, "done": done, "total": total})
