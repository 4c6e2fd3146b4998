"""The short way to an adapter: a model, a dataset, and the fields that are mostly needed."""

from __future__ import annotations

from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Store
from openhearth.training.recipe import TuneRecipe
from openhearth.training.train import carry_out


def tune(store: Store, recipe: TuneRecipe, progress: Progress = silent) -> Artifact:
    """Carry out a recipe, as `carry_out` does.

    Raises:
        NotFound: the store lacks the model or the dataset.
        UsageError: they are of the wrong kind, or the recipe does not fit them.
        HearthError: the loss is not a number any more, or has exploded.
    """
    return carry_out(store, recipe.whole(), progress)
