"""What to tune, on what, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openhearth.errors import NotFound, UsageError


class TuneRecipe(BaseModel):
    """LoRA fine-tuning of `base` on the answers in `data`.

    `base` names a model, `data` a curated dataset. Training ends after `tokens` tokens, prompts
    included, or `epochs` passes, whichever comes first; a step has at most `batch_tokens`.
    `learning_rate` rises over the first tenth of the steps, then falls to zero along a line.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str
    data: str
    tokens: Annotated[int, Field(gt=0)] = 50_000
    epochs: Annotated[int, Field(gt=0)] = 3
    batch_tokens: Annotated[int, Field(ge=64)] = 1024
    max_tokens: Annotated[int, Field(ge=16)] = 512
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    rank: Annotated[int, Field(ge=1, le=512)] = 16
    alpha: Annotated[float, Field(gt=0)] = 32.0
    clip: Annotated[float, Field(gt=0)] = 1.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"

    @classmethod
    def read(cls, path: Path) -> TuneRecipe:
        """A recipe from a YAML file.

        Raises:
            NotFound: there is no such file.
            UsageError: it is not a recipe; the text says where.
        """
        try:
            raw = yaml.safe_load(path.read_text())
        except FileNotFoundError as error:
            raise NotFound(f"There is no recipe {path}: check its name.") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} is not YAML: {error}") from error
        return cls.parse(raw, str(path))

    @classmethod
    def parse(cls, raw: object, where: str = "The recipe") -> TuneRecipe:
        """A recipe from plain data.

        Raises:
            UsageError: a field is missing, unknown or out of range.
        """
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "its top"
            raise UsageError(f"{where} is wrong at {field}: {first['msg']}.") from error
