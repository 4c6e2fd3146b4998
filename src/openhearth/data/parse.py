"""Recipes from plain data, with a sentence where they are wrong."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from openhearth.errors import UsageError

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
