"""What whoever checks a report has looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """Something that was looked at. `holds` is None if it could not be: `detail` says why."""

    what: str
    holds: bool | None
    detail: str = ""
