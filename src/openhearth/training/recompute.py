"""Activation checkpointing: blocks keep only what goes in, and compute the rest again in backward.

Chen et al. 2016, arXiv:1604.06174. Dropout draws the same numbers both times.
"""

from __future__ import annotations

from functools import partial

from torch.utils.checkpoint import checkpoint

from openhearth.models import Model


def recompute(model: Model) -> None:
    """Let every block of a model do so while it trains."""
    for block in model.blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
