"""A mixture: slices of text, what share of the whole each is to have, and how often it may repeat.

`plan` turns shares into amounts. Where the budget asks for more of a slice than its epochs allow,
it gives all that it may, and the others share the rest in the proportions that they have among
themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from openhearth.data.parse import Recipe
from openhearth.data.select.recipe import Positive, Seed, SelectRecipe
from openhearth.errors import UsageError


class Slice(BaseModel):
    """One part of a mixture: what lies at `path` (of a `format`), by `rules`, by a selection.

    `weight` is its share before all are made to sum to one; `epochs` is how often it may be used.
    `targets` are the locations that its selection compares with, by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    path: str
    format: str | None = None
    weight: Positive | None = None
    epochs: Positive = 1.0
    rules: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    select: SelectRecipe | None = None
    targets: dict[str, str] = {}

    @model_validator(mode="after")
    def _makes_sense(self) -> Slice:
        if self.targets and self.select is None:
            raise ValueError("targets are of a selection: give select too")
        return self


class Mixture(Recipe):
    """Slices, and how much text in all: `budget` tokens, or bytes where no tokenizer is given.

    Without a budget it is the most that keeps every slice within its epochs, so that none falls
    short of its share. Slices without a `weight` have that of their size n to the power of
    1 / `temperature`: 1 is in proportion, and more gives small slices more.
    """

    called: ClassVar[str] = "mixture"

    slices: Annotated[tuple[Slice, ...], Field(min_length=1)]
    budget: Annotated[int | None, Field(ge=1)] = None
    temperature: Positive = 1.0
    seed: Seed = 0

    @model_validator(mode="after")
    def _makes_sense(self) -> Mixture:
        names = [part.name for part in self.slices]
        if len(set(names)) < len(names):
            raise ValueError("two slices have the same name")
        if len({part.weight is None for part in self.slices}) > 1:
            raise ValueError("give every slice a weight, or none")
        return self


@dataclass(frozen=True)
class Share:
    """What a slice gives: `amount`, which is `epochs` times its `size`, all in tokens or bytes.

    `wanted` is the share of the whole that it was to have; `capped` whether its epochs ended it.
    """

    name: str
    size: int
    wanted: float
    amount: int
    capped: bool

    @property
    def epochs(self) -> float:
        """How often each of its documents comes, on average."""
        return self.amount / self.size

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"epochs": self.epochs}


def plan(mixture: Mixture, sizes: Mapping[str, int]) -> list[Share]:
    """What each slice gives, from the sizes of all in tokens or bytes.

    Raises:
        UsageError: a slice is empty.
    """
    for part in mixture.slices:
        if not sizes[part.name]:
            raise UsageError(f"The slice {part.name} of {part.path} is empty: leave it out.")
    weights = [
        sizes[part.name] ** (1 / mixture.temperature) if part.weight is None else part.weight
        for part in mixture.slices
    ]
    total = sum(weights)
    shares = [weight / total for weight in weights]
    caps = [part.epochs * sizes[part.name] for part in mixture.slices]
    budget = mixture.budget
    if budget is None:
        budget = int(min(cap / share for cap, share in zip(caps, shares, strict=True)))
    amounts = fill(budget, shares, caps)
    return [
        Share(part.name, sizes[part.name], share, round(amount), budget * share > cap)
        for part, share, amount, cap in zip(mixture.slices, shares, amounts, caps, strict=True)
    ]


def fill(budget: float, shares: Sequence[float], caps: Sequence[float]) -> list[float]:
    """Amounts that sum to the budget, or to all caps if those are less: level * share, or the cap.

    As water fills vessels of these areas and heights. Those whose caps bind at the lowest level are
    filled first; what they leave over is shared by the rest.
    """
    amounts = [0.0] * len(shares)
    left = float(budget)
    order = sorted(range(len(shares)), key=lambda i: caps[i] / shares[i])
    for rank, i in enumerate(order):
        amounts[i] = min(caps[i], left * shares[i] / sum(shares[j] for j in order[rank:]))
        left -= amounts[i]
    return amounts
