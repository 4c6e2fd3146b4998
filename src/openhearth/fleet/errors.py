"""Errors that cross the bus: what was raised there is raised here, as the same type."""

from __future__ import annotations

from openhearth.errors import CorruptArtifact, HearthError, MissingTool, NotFound, UsageError
from openhearth.inference.request import (
    BadAdapter,
    BadConstraint,
    ContextTooLong,
    DeadlinePassed,
    EngineBusy,
)

LONGEST = 2000  # characters of a text


class BusError(EngineBusy):
    """A message did not arrive, or its answer did not; a later one may."""


class BusDown(BusError):
    """The broker does not answer."""


class NoResponders(BusError):
    """Nobody serves this subject, so nobody has seen the request."""


class NoReply(BusError):
    """Whoever serves this subject did not answer in time; the request may have been seen."""


class BadMessage(BusError):
    """What came over the bus is no message of ours."""


KNOWN = {
    kind.__name__: kind
    for kind in (
        BadAdapter,
        BadConstraint,
        ContextTooLong,
        CorruptArtifact,
        DeadlinePassed,
        EngineBusy,
        HearthError,
        MissingTool,
        NotFound,
        UsageError,
    )
}


def kind_of(error: HearthError) -> str:
    """The name under which an error crosses: its own, or that of the nearest it is one of."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in KNOWN)


def error_of(kind: str, text: str) -> HearthError:
    """The error that has crossed."""
    return KNOWN.get(kind, HearthError)(text[:LONGEST])
