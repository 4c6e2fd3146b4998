"""An artifact while it is being made, and the key that tells one piece of work from another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openhearth import __version__
from openhearth.errors import UsageError
from openhearth.store.artifact import canonical_json, is_file_name

CODE = f"openhearth=={__version__}"


def job_key(kind: str, inputs: Mapping[str, str], recipe: Mapping[str, Any]) -> str:
    """What identifies a piece of work: what is made, from what, how, by which code."""
    return hashlib.sha256(canonical_json([kind, inputs, recipe, CODE])).hexdigest()


@dataclass
class Draft:
    """An artifact being made: write files under `path(name)`, keep resumable state in `work`."""

    path_of_files: Path
    work: Path
    metrics: dict[str, Any] = field(default_factory=dict)
    license: list[str] = field(default_factory=list)
    creator: list[str] = field(default_factory=list)
    cost: dict[str, Any] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Where to write the file `name`; its directories exist.

        Raises:
            UsageError: the name is not a relative path within the artifact.
        """
        if not is_file_name(name):
            raise UsageError(
                f"{name!r} leaves the artifact: file names are relative, without '..'."
            )
        target = self.path_of_files / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target
