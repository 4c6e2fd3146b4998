"""Response formats of the APIs as constraints."""

from __future__ import annotations

from typing import Any

import pytest

from openhearth.inference import BadConstraint, Constraint
from openhearth.inference.response_format import constraint_of

ANY = Constraint("json_schema", '{"type": "object"}')
LIST = Constraint("json_schema", '{"type": "array"}')


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, ANY),
        ({"type": "json_object", "schema": {"type": "array"}}, LIST),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array"}}}, LIST),
        ({"type": "json_schema", "schema": {"type": "array"}}, LIST),
        ({"type": "regex", "pattern": "[0-9]+"}, Constraint("regex", "[0-9]+")),
        ({"type": "grammar", "grammar": 'start: "a"'}, Constraint("grammar", 'start: "a"')),
    ],
)
def test_formats(given: dict[str, Any] | None, expected: Constraint | None) -> None:
    assert constraint_of(given) == expected


def test_a_schema_nested_without_end_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(100_000):
        schema = {"items": schema}
    with pytest.raises(BadConstraint, match="too deeply"):
        constraint_of({"type": "json_object", "schema": schema})


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"type": "xml"},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {"schema": "object"}},
        {"type": "regex"},
        {"type": "grammar", "grammar": 7},
    ],
)
def test_what_is_not_a_format_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(BadConstraint, match="response_format"):
        constraint_of(given)
