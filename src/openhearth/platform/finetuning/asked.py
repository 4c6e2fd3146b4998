"""What both dialects share: bodies whose every field counts, and what names in them stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from openhearth.models import base_of
from openhearth.platform.errors import bad_request
from openhearth.store import Artifact, Store
from openhearth.store.refs import LONGEST

MOST_EVALUATED = 1_000_000  # of a validation file all
LONGEST_VERSION = ":999999-step-99999999"  # of what a run leaves


class Body(BaseModel):
    """A part of a request. A field that nobody knows is refused: ignored, it would seem to act."""

    model_config = ConfigDict(strict=True, extra="forbid")


@dataclass(frozen=True)
class Asked:
    """Who asks, and what the names in a request stand for.

    `file` finds an uploaded JSONL file by its id, `lines` says how many examples it has, `version`
    finds what is called `JOB:STEP` or `MODEL:STEP` by the name that it has in the store.
    `check_model` raises what keeps the owner from a model.
    """

    store: Store
    owner: str
    file: Callable[[str], Path]
    lines: Callable[[str], int | None]
    version: Callable[[str], str] = str
    check_model: Callable[[str], object] = str

    def beginning(self, name: str) -> tuple[dict[str, str], Artifact]:
        """What a recipe says to begin with this model or version, and the version itself."""
        self.check_model(name)
        found = self.store.get(name)
        return {"from" if found.kind == "adapter" else "model": name}, base_of(found)

    def data(self, training: str, validation: str | None) -> dict[str, str | None]:
        """The fields of a recipe that name data."""
        held = str(self.file(validation)) if validation else None
        return {"data": str(self.file(training)), "heldout": held}

    def result(self, model: str, suffix: str | None) -> str:
        """What the result is called; each run makes a version of it.

        Raises:
            ApiError: 400, the store has no such long names.
        """
        base = model.partition(":")[0].rpartition("/")[2]
        words = re.sub(r"[^a-z0-9._-]+", "-", (suffix or "tuned").lower()).strip("-._")
        name = f"{self.owner}/{base}-{words or 'tuned'}"
        if len(f"{name}{LONGEST_VERSION}") > LONGEST:
            message = f"The result would be called {name}, which is too long: shorten the suffix."
            raise bad_request(message, "suffix", "name_too_long")
        return name


def refuse(values: Mapping[str, Any], reasons: Mapping[str, str], where: str = "") -> None:
    """Raise a 400 for the first field that asks for something which is not served."""
    for name, reason in reasons.items():
        if values.get(name):
            field = f"{where}{name}"
            message = f"{field} is not supported by this server: {reason}."
            raise bad_request(message, field, "unsupported_parameter")
