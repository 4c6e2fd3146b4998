"""What to merge, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from openhearth.errors import NotFound, UsageError
from openhearth.models.part import Part

TUNED = ("task_arithmetic", "ties", "dare")  # methods that need the base


class Source(Part):
    """A model or an adapter by its name, and how much it counts; to stack, some of its blocks,
    from the first number to before the second.
    """

    model: str
    weight: float = 1.0
    blocks: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(gt=0)]] | None = None


class MergeRecipe(Part):
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


def read_merge(path: Path) -> MergeRecipe:
    """A recipe from a YAML file.

    Raises:
        NotFound: there is no such file.
        UsageError: it is no recipe; the text says where.
    """
    try:
        raw: Any = yaml.safe_load(path.read_text())
        return MergeRecipe.model_validate(raw)
    except FileNotFoundError as error:
        raise NotFound(f"There is no recipe {path}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise UsageError(f"{path} is wrong at {where}: {first['msg']}.") from error
