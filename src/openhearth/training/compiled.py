"""Norms and feed-forward layers compiled by torch, which makes one kernel of many small ones.

Only these, because their shapes are all that changes from batch to batch: mixers follow the lengths
of the pieces, and adapters are looked up by each row's name.
"""

from __future__ import annotations

from openhearth.models import Model
from openhearth.models.channels.feed_forward import FeedForward, GatedFeedForward
from openhearth.models.norm import RMSNorm


def compile_parts(model: Model, *, adapted: bool) -> None:
    """Compile what can be, for batches of any length; of adapted matrices the norms alone."""
    kinds = (RMSNorm,) if adapted else (RMSNorm, FeedForward, GatedFeedForward)
    for module in model.modules():
        if isinstance(module, kinds):
            module.compile(dynamic=True)
