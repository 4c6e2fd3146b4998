"""Which examples each step sees: known before the first step, so that a resumed run sees the same.

Every example of a step is a piece of its own in the flat batch: nothing attends across documents.
"""

from __future__ import annotations

from openhearth.data import TokenShards, pack
from openhearth.errors import UsageError
from openhearth.training.recipe import TuneRecipe


def steps(shards: TokenShards, recipe: TuneRecipe) -> list[list[int]]:
    """The examples of every step, until the recipe's tokens or epochs are used up.

    Raises:
        UsageError: there is nothing to train on, or an example is longer than a step may be.
    """
    if not len(shards):
        raise UsageError("The dataset has no training examples: curate more text.")
    longest = int(shards.lengths.max())
    if longest > recipe.batch_tokens:
        raise UsageError(
            f"batch_tokens is {recipe.batch_tokens}, but the longest example has {longest} tokens: "
            "raise it, or lower max_tokens."
        )
    order: list[list[int]] = []
    left = recipe.tokens
    for epoch in range(recipe.epochs):
        for examples in pack(shards.lengths, recipe.batch_tokens, recipe.seed, epoch):
            if left <= 0:
                return order
            order.append(examples)
            left -= int(shards.lengths[examples].sum())
    return order
