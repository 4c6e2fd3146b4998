"""Jobs of the kind `fine-tune`: the payload has a `recipe` of training, the result names versions.

Training resumes by itself, from checkpoints in the store, to the same bytes; that of the job only
says how far it is.
"""

from __future__ import annotations

from typing import Any

from openhearth.platform.jobs.task import Task
from openhearth.store import Artifact, Store
from openhearth.training import TrainRecipe, carry_out
from openhearth.training.stages import evenly


def run(task: Task) -> dict[str, Any]:
    """Train."""
    task.pause()  # for one that was cancelled meanwhile
    recipe = TrainRecipe.parse(task.payload["recipe"])
    watch = _Watch(task, recipe)
    made = carry_out(task.store, recipe, watch)
    _fill_in(task, recipe, made)
    task.event("training_complete", f"Trained for {made.manifest.metrics['steps']} steps.")
    return _result(task.store, recipe, made)


class _Watch:
    """Turns progress into metrics by step, an event for each stage, and places to stop at."""

    def __init__(self, task: Task, recipe: TrainRecipe) -> None:
        self._task = task
        self._recipe = recipe
        self._stage = ""

    def __call__(self, stage: str, done: float, total: float | None, note: str = "") -> None:
        self._task.pause()
        training = stage in ("tune", "train")
        if stage != self._stage:
            self._stage = stage
            said = {"stage": stage, "total": total}
            self._task.event("training_start" if training else "progress", f"{stage}.", said)
        if training:
            self._stepped(int(done), int(total or 0), getattr(note, "numbers", {}))

    def _stepped(self, step: int, total: int, numbers: dict[str, float]) -> None:
        self._task.metric(step, **numbers)
        if step in evenly(self._recipe.stages, total):
            said = {"step": step, "total": total}
            self._task.event("checkpoint_save", f"The weights after step {step} are kept.", said)
        if step % self._recipe.checkpoint_steps == 0 or step == total:
            self._task.save({"step": step, "total": total})


def _fill_in(task: Task, recipe: TrainRecipe, made: Artifact) -> None:
    """Give the metrics of all steps, of which some may have been lost with a process."""
    held = {row["step"]: row.get("loss") for row in made.read_json("evaluations.json")}
    for step, row in enumerate(made.read_json("history.json"), 1):
        task.metric(
            step,
            loss=row["loss"],
            tokens=row["tokens"],
            learning_rate=row["rate"] * recipe.optimizer.learning_rate,
            gradient_norm=row["norm"],
            heldout_loss=held.get(step),
        )


def _result(store: Store, recipe: TrainRecipe, made: Artifact) -> dict[str, Any]:
    """Names, digests, and what was done; `checkpoints` has the versions kept on the way."""
    metrics = made.manifest.metrics
    name = _version(store, recipe.name, made.digest)
    return {
        "kind": made.kind,
        "digest": made.digest,
        "name": name,
        "steps": metrics["steps"],
        "trained_tokens": metrics["tokens"],
        "loss": metrics["loss"],
        "heldout_loss": metrics.get("heldout_loss"),
        "checkpoints": [
            {"step": int(step), "digest": digest, "name": name and f"{name}-step-{step}"}
            for step, digest in metrics.get("stages", {}).items()
        ],
    }


def _version(store: Store, name: str | None, digest: str) -> str | None:
    """The newest version of a name that an artifact has."""
    if name is None or ":" in name:
        return name
    tags = [ref.removeprefix(f"{name}:") for ref in store.names_of(digest)]
    return f"{name}:{max(int(tag) for tag in tags if tag.isdecimal())}"
