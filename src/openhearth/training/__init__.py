"""Training: a model and token shards in, an adapter out.

It owns the order of the data, the loss over what counts, checkpoints, and the promise that a run
which was killed goes on to the same bytes as one that was not. Importing it needs the extra
`torch`.
"""

from openhearth.training.recipe import TuneRecipe
from openhearth.training.tune import tune

__all__ = ["TuneRecipe", "tune"]
