"""`response_format`, as the OpenAI and Together APIs write it, as a constraint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from openhearth.inference.request import BadConstraint, Constraint


def constraint_of(response_format: Mapping[str, Any] | None) -> Constraint | None:
    """The constraint that is asked for; None for plain text.

    Raises:
        BadConstraint: the format is not one of `text`, `json_object`, `json_schema`, `regex` and
            `grammar`, or lacks what it needs.
    """
    kind = "text" if response_format is None else response_format.get("type")
    if response_format is None or kind == "text":
        return None
    if kind == "json_object":
        return _schema(response_format.get("schema") or {"type": "object"})
    if kind == "json_schema":
        named = response_format.get("json_schema", response_format)
        return _schema(named.get("schema") if isinstance(named, Mapping) else None)
    pattern, grammar = response_format.get("pattern"), response_format.get("grammar")
    if kind == "regex" and isinstance(pattern, str):
        return Constraint("regex", pattern)
    if kind == "grammar" and isinstance(grammar, str):
        return Constraint("grammar", grammar)
    raise BadConstraint(
        f"The response_format of type {kind!r} cannot be followed: use text, json_object, "
        "json_schema with a schema, regex with a pattern, or grammar with a grammar."
    )


def _schema(schema: Any) -> Constraint:
    if not isinstance(schema, Mapping):
        raise BadConstraint("response_format names no schema: give json_schema.schema, an object.")
    try:
        return Constraint("json_schema", json.dumps(schema))
    except RecursionError as error:
        raise BadConstraint("The schema of response_format is nested too deeply.") from error
