"""The runs of a study: every combination of mix, size, slice and amount, each with its model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from openhearth.errors import UsageError
from openhearth.models import ModelConfig
from openhearth.training.study.flops import training_flops, weights_met
from openhearth.training.study.mixes import Size, model_of
from openhearth.training.study.recipe import StudyRecipe


@dataclass(frozen=True)
class Run:
    """One model to be trained on one slice. `budget` is the FLOPs that it was given, or None where
    the recipe gives tokens.
    """

    mix: str
    size: Size
    slice: str
    tokens: int
    budget: float | None
    model: ModelConfig
    context: int

    @property
    def label(self) -> str:
        """What a reader calls it."""
        return f"{self.mix} {self.size.width}x{self.size.depth} {self.slice} {self.tokens:.2g}"

    @cached_property
    def parameters(self) -> int:
        """The N of the scaling law."""
        return weights_met(self.model)

    @cached_property
    def flops_per_token(self) -> int:
        """Of training."""
        return training_flops(self.model, self.context)

    @property
    def flops(self) -> float:
        """Of training, in all."""
        return self.flops_per_token * self.tokens


def sweep(recipe: StudyRecipe, vocabulary: int) -> list[Run]:
    """The runs, the cheapest first, so that what there is can be looked at early.

    Raises:
        UsageError: a mix does not fit a size, or a budget is too small for a single step.
    """
    runs = [
        run
        for mix in recipe.mixes
        for size in recipe.sizes
        for slice_ in recipe.slices
        for run in _amounts(recipe, mix, size, slice_, vocabulary)
    ]
    return sorted(runs, key=lambda run: run.flops)


def next_runs(recipe: StudyRecipe, vocabulary: int) -> list[Run]:
    """Those whose loss is to be foretold."""
    if recipe.next is None:
        return []
    of = recipe.next
    return [
        _run(recipe, mix, of.size, slice_, vocabulary, flops=of.flops)
        for slice_ in recipe.slices
        for mix in recipe.mixes
    ]


def _amounts(
    recipe: StudyRecipe, mix: str, size: Size, slice_: str, vocabulary: int
) -> Iterator[Run]:
    for flops in recipe.flops:
        yield _run(recipe, mix, size, slice_, vocabulary, flops=flops)
    for tokens in recipe.tokens:
        yield _run(recipe, mix, size, slice_, vocabulary, tokens=tokens)


def _run(
    recipe: StudyRecipe,
    mix: str,
    size: Size,
    slice_: str,
    vocabulary: int,
    *,
    flops: float | None = None,
    tokens: int = 0,
) -> Run:
    model = model_of(
        mix,
        recipe.mixes[mix],
        size,
        vocabulary=vocabulary,
        context=recipe.context,
        settings=recipe.model,
    )
    if flops is not None:
        tokens = int(flops / training_flops(model, recipe.context))
    # Whole steps, so that the last one is no smaller than the others.
    tokens -= tokens % recipe.batch_tokens
    if not tokens:
        raise UsageError(
            f"A run of `{mix}` in a width of {size.width} would have no whole step of "
            f"{recipe.batch_tokens} tokens: give it more, or lower batch_tokens."
        )
    return Run(mix, size, slice_, tokens, flops, model, recipe.context)
