"""Doors of rooms whose parts are imported when they are first used.

So a command loads what it needs and no more: running a model needs neither Arrow nor torch.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from openhearth.errors import MissingExtra


def lazily(
    room: str, places: Mapping[str, str], *, extras: Mapping[str, str] | None = None
) -> Callable[[str], Any]:
    """A room's `__getattr__`: `places` says in which of its modules each exported name is.

    `extras` are the packages that may be missing, and the extra that brings each.
    """

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        try:
            module = importlib.import_module(f"{room}.{places[name]}")
        except ModuleNotFoundError as error:
            if error.name is None or error.name not in (extras or {}):
                raise
            raise MissingExtra(error.name, (extras or {})[error.name]) from error
        value = getattr(module, name)
        setattr(sys.modules[room], name, value)
        return value

    return get
