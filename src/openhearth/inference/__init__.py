"""Inference: an engine that answers many requests at once on one set of weights.

In: requests (tokens and sampling parameters) for a model or an adapter by name. Out: streams of
deltas. It owns the schedule, the cache of keys and values, and the choice of each token. Beside it
are encoders, which make vectors of texts. Neither importing it nor running a model natively imports
torch.
"""

from typing import TYPE_CHECKING

from openhearth.door import lazily
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
    from openhearth.inference.encoder import Encoder, open_encoder
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
    "Encoder",
    "Engine",
    "EngineBusy",
    "ModelCard",
    "Request",
    "Sampling",
    "Stream",
    "Timings",
    "TokenLogprob",
    "Usage",
    "open_encoder",
]

__getattr__ = lazily(
    __name__,
    {"Encoder": "encoder", "Engine": "engine", "Stream": "stream", "open_encoder": "encoder"},
)
