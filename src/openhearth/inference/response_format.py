"""`response_format`, as the OpenAI and Together APIs write it, as a constraint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from openhearth.errors import UsageError
from openhearth.inference.request import Constraint


def constraint_of(response_format: Mapping[str, Any] | None) -> Constraint | None:
    """The constraint that is asked for; None for plain text.

    Raises:
        UsageError: the format is not one of `text`, `json_object`, `json_schema` and `regex`, or
            lacks what it needs.
    """
    kind = "text" if response_format is None else response_format.get("type")
    if response_format is None or kind == "text":
        return None
    if kind == "json_object":
        return _schema(response_format.get("schema") or {"type": "object"})
    if kind == "json_schema":
        named = response_format.get("json_schema")
        return _schema(named.get("schema") if isinstance(named, Mapping) else None)
    pattern = response_format.get("pattern")
    if kind == "regex" and isinstance(pattern, str):
        return Constraint("regex", pattern)
    raise UsageError(
        f"The response_format of type {kind!r} cannot be followed: use text, json_object, "
        "json_schema with a schema, or regex with a pattern."
    )


def _schema(schema: Any) -> Constraint:
    if not isinstance(schema, Mapping):
        raise UsageError("response_format names no schema: give json_schema.schema, an object.")
    try:
        return Constraint("json_schema", json.dumps(schema))
    except RecursionError as error:
        raise UsageError("The schema of response_format is nested too deeply.") from error
