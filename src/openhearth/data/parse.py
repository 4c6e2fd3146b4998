"""Recipes from plain data, with a sentence where they are wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from openhearth.errors import NotFound, UsageError

Model = TypeVar("Model", bound=BaseModel)
# Where pydantic's own words are about Python; with what it says beside them.
REASONS = {
    "extra_forbidden": "there is no such field",
    "missing": "this field must be there",
    "model_type": "fields with values belong here",
    "dict_type": "names with values belong here",
    "model_attributes_type": "fields with values belong here",
    "too_short": "give at least one",
    "union_tag_not_found": "the field {discriminator} must be there",
    "union_tag_invalid": "{discriminator} is {tag!r}, and must be one of {expected_tags}",
}


def parse(model: type[Model], raw: Any, what: str) -> Model:
    """A model from plain data.

    Raises:
        UsageError: a field is missing, unknown or out of range.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        where, reason = first_fault(error, "its top")
        raise UsageError(f"The {what} is wrong at {where}: {reason}.") from error


def first_fault(error: ValidationError, whole: str = "the whole") -> tuple[str, str]:
    """Where the first fault is (`whole` if it is in no field), and what is wrong there."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or whole
    if first["type"] in REASONS:
        return where, REASONS[first["type"]].format(**first.get("ctx", {}))
    return where, first["msg"].removeprefix("Value error, ")


def read_file(path: Path, what: str, read: Callable[[str], Any] = yaml.safe_load) -> Any:
    """The plain data of a YAML file, as `read` understands its text.

    Raises:
        NotFound: there is no such file.
        UsageError: it is not YAML.
    """
    try:
        return read(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFound(f"There is no {what} {path}: check its name.") from error
    # Of a number or a date that is none comes a ValueError, of many brackets the last.
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error


class Recipe(BaseModel):
    """What to make, said by plain data or a YAML file: frozen, and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    called: ClassVar[str] = "recipe"  # in errors

    @classmethod
    def parse(cls, raw: object) -> Self:
        """A recipe from plain data.

        Raises:
            UsageError: a field is missing, unknown or out of range.
        """
        return parse(cls, raw, cls.called)

    @classmethod
    def load(cls, path: Path) -> Self:
        """A recipe from a YAML file.

        Raises:
            NotFound: there is no such file.
            UsageError: it is not YAML, or a field is missing, unknown or out of range.
        """
        return cls.parse(read_file(path, cls.called))
