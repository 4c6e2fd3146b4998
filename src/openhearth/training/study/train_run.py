"""One run of a study: a new model trained on a slice, then measured on what all slices held out.

A run is an artifact of its own, found again by what determines it; training it goes on from its
last checkpoint. This file alone knows how models are trained.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from openhearth.data.tokens import TokenCorpus
from openhearth.models import Model, load_model
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Draft, Store
from openhearth.training.evaluation import total_loss
from openhearth.training.items import PackedRows
from openhearth.training.objectives import NextToken
from openhearth.training.permute import permuted
from openhearth.training.recipe import TrainRecipe
from openhearth.training.study.grid import Run
from openhearth.training.study.recipe import StudyRecipe
from openhearth.training.study.slices import HELDOUT, Slices
from openhearth.training.train import carry_out

CHECKPOINTS = 20  # in a run, but not more often than every so many steps
FEWEST_STEPS = 10


class Measured(NamedTuple):
    """What came of a run: held-out losses in nats per token and in bits per byte, by slice."""

    run: Run
    artifact: Artifact
    losses: dict[str, float]
    bits: dict[str, float]
    tokens_per_second: float

    @property
    def loss(self) -> float:
        """On the slice that it was trained on."""
        return self.losses[self.run.slice]


def train_run(
    store: Store, recipe: StudyRecipe, run: Run, slices: Slices, progress: Progress = silent
) -> Measured:
    """Train and measure, or find what was measured before.

    Raises:
        HearthError: the loss is not a number any more, or has exploded.
    """

    def build(draft: Draft) -> None:
        model = carry_out(store, recipe_of(recipe, run, slices), progress)
        draft.metrics |= {"model": model.digest, "losses": _losses(recipe, run, slices, model)}
        draft.license += model.manifest.license
        draft.cost |= store.cost(model.digest)

    made = store.make("report", build, inputs=slices.inputs, recipe=_settings(recipe, run))
    return _measured(store, run, slices, made)


def find_run(store: Store, recipe: StudyRecipe, run: Run, slices: Slices) -> Measured | None:
    """What was measured before, if it was."""
    made = store.find("report", inputs=slices.inputs, recipe=_settings(recipe, run))
    return None if made is None else _measured(store, run, slices, made)


def recipe_of(recipe: StudyRecipe, run: Run, slices: Slices) -> TrainRecipe:
    """How the model of a run is trained."""
    rate = run.size.learning_rate or recipe.optimizer.learning_rate
    steps = run.tokens // recipe.batch_tokens
    return TrainRecipe(
        model=run.model,
        tokenizer=slices.tokenizer.digest,
        data=slices.tokens[run.slice].digest,
        objective=NextToken(),
        adapter=None,
        optimizer=recipe.optimizer.model_copy(update={"learning_rate": rate}),
        schedule=recipe.schedule,
        epochs=-(-run.tokens // slices.size(run.slice)),
        tokens=run.tokens,
        batch_tokens=recipe.batch_tokens,
        max_tokens=recipe.context,
        clip=recipe.clip,
        seed=recipe.seed,
        dtype=recipe.dtype,
        checkpoint_steps=max(FEWEST_STEPS, steps // CHECKPOINTS),
    )


def _settings(recipe: StudyRecipe, run: Run) -> dict[str, Any]:
    """What determines a run, beside the slices."""
    fields = {
        "context",
        "batch_tokens",
        "optimizer",
        "schedule",
        "clip",
        "heldout_rows",
        "dtype",
        "seed",
    }
    return recipe.model_dump(mode="json", include=fields) | {
        "study": "run",
        "slice": run.slice,
        "tokens": run.tokens,
        "model": run.model.model_dump(mode="json"),
        "learning_rate": run.size.learning_rate,
    }


def _losses(recipe: StudyRecipe, run: Run, slices: Slices, trained: Artifact) -> dict[str, float]:
    model = load_model(trained, "float32")
    return {
        name: heldout_loss(
            model,
            PackedRows(TokenCorpus.open(tokens, HELDOUT).rows(run.context)),
            recipe.heldout_rows,
            recipe.batch_tokens,
        )
        for name, tokens in slices.tokens.items()
    }


def heldout_loss(model: Model, rows: PackedRows, most: int, at_once: int) -> float:
    """The mean loss in nats per token over rows from everywhere, at most so many."""
    chosen = [permuted(i, len(rows), 0, 0) for i in range(min(most, len(rows)))]
    objective = NextToken()
    total = total_loss(model, rows, chosen, objective, at_once)
    return total / objective.weight(rows, chosen)


def _measured(store: Store, run: Run, slices: Slices, made: Artifact) -> Measured:
    losses = made.manifest.metrics["losses"]
    per_byte = {
        name: loss / math.log(2) / slices.bytes_per_token(name) for name, loss in losses.items()
    }
    speed = store.cost(made.digest).get("tokens_per_second", 0.0)
    return Measured(run, made, losses, per_byte, speed)
