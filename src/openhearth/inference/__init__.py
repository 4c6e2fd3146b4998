"""Inference: an engine that answers many requests at once on one set of weights.

In: requests (tokens and sampling parameters) for a model or an adapter by name. Out: streams of
deltas. It owns the schedule, the cache of keys and values, and the choice of each token.
Importing it does not import torch; opening an `Engine` does.
"""

from typing import TYPE_CHECKING, Any

from openhearth.inference.answer import Answer
from openhearth.inference.request import (
    BadAdapter,
    BadConstraint,
    Constraint,
    ContextTooLong,
    DeadlinePassed,
    Delta,
    EngineBusy,
    ModelCard,
    Request,
    Sampling,
    Timings,
    TokenLogprob,
    Usage,
)

if TYPE_CHECKING:
    from openhearth.inference.engine import Engine
    from openhearth.inference.stream import Stream

__all__ = [
    "Answer",
    "BadAdapter",
    "BadConstraint",
    "Constraint",
    "ContextTooLong",
    "DeadlinePassed",
    "Delta",
    "Engine",
    "EngineBusy",
    "ModelCard",
    "Request",
    "Sampling",
    "Stream",
    "Timings",
    "TokenLogprob",
    "Usage",
]


def __getattr__(name: str) -> Any:
    if name == "Engine":
        from openhearth.inference.engine import Engine

        return Engine
    if name == "Stream":
        from openhearth.inference.stream import Stream

        return Stream
    raise AttributeError(name)
