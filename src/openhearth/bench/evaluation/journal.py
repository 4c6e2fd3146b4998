"""What was computed so far, a line each, so that work that was killed goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson


class Journal:
    """Values by key in a file to which lines are added; one that was cut off is not read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Any] = {}
        whole = path.read_bytes().rpartition(b"\n")[0] if path.is_file() else b""
        for line in whole.splitlines():
            key, value = orjson.loads(line)
            self._known[key] = value
        path.write_bytes(whole + b"\n" * bool(whole))

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """The value of a key: as it was noted, or as `make` makes it now."""
        if key not in self._known:
            self._known[key] = make()
            with self._path.open("ab") as file:
                file.write(orjson.dumps([key, self._known[key]]) + b"\n")
        return self._known[key]
