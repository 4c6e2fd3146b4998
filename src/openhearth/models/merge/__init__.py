"""Models of models: `merge` makes one of several that have the same layers, by a `MergeRecipe`."""

from openhearth.models.merge.merge import merge
from openhearth.models.merge.recipe import MergeRecipe, Source

__all__ = ["MergeRecipe", "Source", "merge"]
