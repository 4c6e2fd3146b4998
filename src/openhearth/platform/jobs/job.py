"""What jobs are to those who ask for them, and to those who carry them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from openhearth.errors import HearthError

State = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
Level = Literal["info", "warn", "error"]

HELD: tuple[State, ...] = ("running", "cancelling")
"""States in which a worker may have the job."""
ENDED: tuple[State, ...] = ("succeeded", "failed", "cancelled")
"""States that nothing follows."""
SECONDS = 10.0  # that a lease lasts
LONGEST = 60.0  # seconds of a lease or a wait: one that ends later is of a clock that has jumped


class LeaseLost(HearthError):
    """The job is no longer this worker's: its lease ran out, or the job has ended."""


class Owner(Protocol):
    """Who asks for a job: whose it is, and with which key."""

    @property
    def organisation(self) -> str: ...
    @property
    def project(self) -> str: ...
    @property
    def key(self) -> str: ...


@dataclass(frozen=True)
class Job:
    """A job as it was when it was read. Times are UTC seconds."""

    id: str
    kind: str
    organisation: str
    project: str
    key: str
    parent: str | None
    payload: dict[str, Any]
    state: State
    attempt: int
    checkpoint: dict[str, Any] | None
    result: dict[str, Any] | None
    error: str | None
    created: int
    started: int | None
    finished: int | None

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED


@dataclass(frozen=True)
class Lease:
    """The right to write about a job. The attempt is its fence: with a later one this is void."""

    id: str
    attempt: int
    seconds: float = SECONDS


@dataclass(frozen=True, kw_only=True)
class Leased(Lease):
    """A lease with what there is to do, and how far others have come with it."""

    kind: str
    organisation: str
    project: str
    payload: dict[str, Any]
    checkpoint: dict[str, Any] | None
    cancel: bool  # whether there is only left to do what makes an end of it


@dataclass(frozen=True)
class Order:
    """What a worker is to do with a job that it has."""

    cancel: bool


@dataclass(frozen=True)
class News:
    """Something to be said of a job."""

    type: str
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    level: Level = "info"


@dataclass(frozen=True)
class Event(News):
    """What was said, as the `number`-th of its job."""

    number: int = 0
    created: int = 0


@dataclass(frozen=True)
class Metric:
    """Numbers of a step. What is given again replaces what was there under the same names."""

    step: int
    values: Mapping[str, float]
    created: int = 0
