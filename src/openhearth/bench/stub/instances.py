"""Values that keep a JSON schema, or do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from openhearth.bench.stub.language import WORDS

DEEPEST = 16  # levels; what lies below is null


def instance(schema: Any, rng: np.random.Generator, depth: int = 0) -> Any:
    """A value of a schema: enum, const, anyOf (the first), and the simple types."""
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return None
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][int(rng.integers(len(schema["enum"])))]
    for several in ("anyOf", "oneOf"):
        if schema.get(several):
            return instance(schema[several][0], rng, depth)
    return _of_type(schema, rng, depth)


def _of_type(schema: Mapping[str, Any], rng: np.random.Generator, depth: int) -> Any:
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: instance(part, rng, depth + 1) for name, part in properties.items()}
    if kind == "array":
        count = max(1, schema.get("minItems", 1))
        return [instance(schema.get("items", {}), rng, depth + 1) for _ in range(min(count, 100))]
    if kind in ("integer", "number"):
        return schema.get("minimum", 0) + int(rng.integers(0, 10)) * ("maximum" not in schema)
    if kind == "string":
        return "".join(rng.choice(WORDS[1:], 2)).strip()
    return {"boolean": bool(rng.integers(2))}.get(kind)


def broken(value: Any) -> Any:
    """A value of another type, and with that of no schema that this one keeps."""
    if isinstance(value, dict) and value:
        name = next(iter(value))
        return value | {name: broken(value[name])}
    return [] if isinstance(value, str | dict) else "none"
