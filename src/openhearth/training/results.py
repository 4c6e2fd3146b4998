"""What a run leaves beside weights: its history, its metrics, and the stages on its way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from openhearth.store import Artifact, Draft
from openhearth.training.run import Run
from openhearth.training.stages import STAGES, kept
from openhearth.training.weights import Weights


def account(draft: Draft, run: Run, stages: Mapping[int, Artifact]) -> None:
    """What the run has found out, as files, metrics and cost."""
    history = [step._asdict() for step in run.steps]
    draft.path("history.json").write_bytes(orjson.dumps(history))
    draft.path("evaluations.json").write_bytes(orjson.dumps(run.evaluations))
    draft.metrics |= _metrics(run, len(run.steps))
    if run.evaluations:
        draft.metrics |= _held(run.evaluations[-1])
    if stages:
        draft.metrics["stages"] = {str(step): stage.digest for step, stage in stages.items()}
    draft.cost["tokens_per_second"] = run.tokens_per_second


def make_stages(
    work: Path,
    weights: Weights,
    run: Run,
    write: Callable[[Draft], None],
    make: Callable[..., Artifact],
) -> dict[int, Artifact]:
    """What was kept of the run on its way, by the steps done then, each made into an artifact.

    `write(draft)` writes the weights, `make(build, step=…)` makes one as the result is made.
    """
    final = {name: tensor.clone() for name, tensor in weights.tensors().items()}
    made = {}
    for step, tensors in kept(work / STAGES):
        weights.restore(tensors)
        made[step] = make(_builder(run, step, write), step=step)
    weights.restore(final)
    return made


def _builder(run: Run, steps: int, write: Callable[[Draft], None]) -> Callable[[Draft], None]:
    def build(draft: Draft) -> None:
        write(draft)
        draft.metrics |= _metrics(run, steps)
        for evaluation in run.evaluations:
            if evaluation["step"] == steps:
                draft.metrics |= _held(evaluation)

    return build


def _metrics(run: Run, steps: int) -> dict[str, Any]:
    """Of so many steps of a run."""
    tokens = sum(step.tokens for step in run.steps[:steps])
    return {"steps": steps, "tokens": tokens, "loss": run.steps[steps - 1].loss}


def _held(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    names = ("loss", "bits_per_byte")
    return {f"heldout_{name}": evaluation[name] for name in names if name in evaluation}
