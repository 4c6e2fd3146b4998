"""Training: a model and tokens in, an adapter or a model out.

One loop for every objective. It owns the order of the data, the loss over what counts, checkpoints,
and the promise that a run which was killed goes on to the same bytes as one that was not. Importing
it needs the extra `torch`.
"""

from openhearth.training.group import Group
from openhearth.training.recipe import TrainRecipe, TuneRecipe
from openhearth.training.train import carry_out
from openhearth.training.tune import tune

__all__ = ["Group", "TrainRecipe", "TuneRecipe", "carry_out", "tune"]
