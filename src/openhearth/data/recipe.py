"""What to curate, and how: the recipe that the command line, the API and the functions take."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from openhearth.data.parse import Recipe
from openhearth.data.rules import Rule
from openhearth.data.select.mixture import Mixture
from openhearth.data.select.recipe import Seed, SelectRecipe
from openhearth.data.signals import SignalRecipe
from openhearth.data.sources import read


class TokensRecipe(BaseModel):
    """The tokens that are made of a dataset: of which `tokenizer`, in rows of `packed` tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokenizer: str
    packed: Annotated[int | None, Field(ge=2)] = None


class CurateRecipe(Recipe):
    """What to curate: the text at `source` (of a `format`), or a `mixture` of several.

    `rules` are names of rule sets that ship, or TOML files; `off` switches single rules off. Where
    a rule looks at answers, documents become examples: questions with answers. `signals` are the
    files that signals need. `mask` is how many finds of personal data a document may have; they
    are masked. What overlaps with `evaluations` goes. `similarity` null leaves near duplicates in;
    `shingle` is the words of one n-gram. `select` chooses what is like the `targets`. About
    `heldout` of the sources, always whole ones, are kept apart for measuring. A source with more
    than `quarantine` broken records ends the run.
    """

    source: str | None = None
    mixture: Mixture | None = None
    format: str | None = None
    rules: tuple[str, ...] = ("docstrings",)
    off: tuple[str, ...] = ()
    signals: SignalRecipe = SignalRecipe()
    mask: Annotated[int | None, Field(ge=0)] = None
    evaluations: dict[str, str] = Field(default_factory=dict)
    similarity: float | None = 0.7
    shingle: Annotated[int, Field(ge=1, le=50)] = 5
    select: SelectRecipe | None = None
    targets: dict[str, str] = Field(default_factory=dict)
    heldout: Annotated[float, Field(gt=0, lt=1)] = 0.2
    seed: Seed = 0
    quarantine: Annotated[int | None, Field(ge=0)] = None
    tokens: TokensRecipe | None = None
    name: str | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> CurateRecipe:
        if (self.source is None) == (self.mixture is None):
            raise ValueError("give a source, or a mixture of several")
        if self.targets and self.select is None:
            raise ValueError("targets are of a selection: give select too")
        return self

    def settings(self, rules: tuple[Rule, ...]) -> dict[str, Any]:
        """What makes a dataset what it is, apart from its corpus and signals."""
        fields = {"mask", "similarity", "shingle", "select", "heldout", "seed"}
        compared = {**self.evaluations, **self.targets}
        return self.model_dump(mode="json", include=fields) | {
            "rules": [rule.model_dump(mode="json") for rule in rules],
            "evaluations": sorted(self.evaluations),
            "targets": sorted(self.targets),
            "compared": {name: read(path).fingerprint for name, path in compared.items()},
        }
