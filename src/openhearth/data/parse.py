"""Recipes from plain data, with a sentence where they are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from openhearth.errors import NotFound, UsageError

Model = TypeVar("Model", bound=BaseModel)
# Where pydantic's own words are about Python.
REASONS = {
    "extra_forbidden": "there is no such field",
    "missing": "this field must be there",
    "model_type": "fields with values belong here",
    "dict_type": "names with values belong here",
    "too_short": "give at least one",
}


def parse(model: type[Model], raw: Any, what: str) -> Model:
    """A model from plain data.

    Raises:
        UsageError: a field is missing, unknown or out of range.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its top"
        reason = REASONS.get(first["type"], first["msg"].removeprefix("Value error, "))
        raise UsageError(f"The {what} is wrong at {where}: {reason}.") from error


def load(model: type[Model], path: Path, what: str) -> Model:
    """A model from a YAML file.

    Raises:
        NotFound: there is no such file.
        UsageError: it is not YAML, or a field is missing, unknown or out of range.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFound(f"There is no {what} {path}: check its name.") from error
    # Of a number or a date that is none comes a ValueError, of many brackets the last.
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    return parse(model, raw, what)
