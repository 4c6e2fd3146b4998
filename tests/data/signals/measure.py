"""The signals of one text, where both ways of computing them agree."""

from __future__ import annotations

from typing import Any

from openhearth.data.signals import compute


def measure(text: str, *names: str, **settings: Any) -> dict[str, Any]:
    """Its row: signals, or those of families, by name; `settings` are those of `compute`."""
    rows = [compute([text], names, **settings, native=native).to_pylist() for native in (1, 0)]
    assert rows[0] == rows[1]
    return rows[0][0]
