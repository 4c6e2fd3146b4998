"""A folder that is filled once, whoever fills it, and however often that was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from openhearth.store import write_atomically

MARKER = "done"


def once(folder: Path, fill: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """What `fill` told of the folder when it was filled, now or before.

    Each attempt has a folder of its own, which gets its marker, and then its name, when it is
    whole: so two at once, of which one was given up too early, do not mix.
    """
    marker = folder / MARKER
    if not marker.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".", dir=folder.parent) as temporary:
            attempt = Path(temporary) / folder.name
            attempt.mkdir()
            write_atomically(attempt / MARKER, orjson.dumps(fill(attempt)))
            try:
                attempt.rename(folder)
            except OSError:
                if not marker.exists():  # else another attempt came first
                    raise
    return orjson.loads(marker.read_bytes())
