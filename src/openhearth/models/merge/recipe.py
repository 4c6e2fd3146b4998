"""What to merge, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from openhearth.data.parse import Recipe
from openhearth.models.part import Part

TUNED = ("task_arithmetic", "ties", "dare")  # methods that need the base


class Source(Part):
    """A model or an adapter by its name, and how much it counts; to stack, some of its blocks,
    from the first number to before the second.
    """

    model: str
    weight: float = 1.0
    blocks: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(gt=0)]] | None = None


class MergeRecipe(Recipe):
    """One model of several; an adapter counts as its base with it.

    `base` is what models were tuned from, `density` the share of each difference that is kept,
    `share` how far from the first of two to go to the second, `seed` that of what chance keeps.
    """

    method: Literal["linear", "slerp", "task_arithmetic", "ties", "dare", "stack"]
    models: Annotated[tuple[Source, ...], Field(min_length=1)]
    base: str | None = None
    density: Annotated[float, Field(gt=0, le=1)] = 0.5
    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _fits_together(self) -> MergeRecipe:
        if (self.method in TUNED) != (self.base is not None):
            raise ValueError(f"a base is for {', '.join(TUNED)}, and needed there")
        if self.method == "slerp" and len(self.models) != 2:
            raise ValueError("slerp is for two models")
        if self.method == "linear" and sum(source.weight for source in self.models) == 0:
            raise ValueError("the weights add up to nothing")
        if self.method != "stack" and any(source.blocks for source in self.models):
            raise ValueError("blocks are for stack only")
        return self
