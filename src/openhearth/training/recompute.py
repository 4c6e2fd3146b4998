"""Activation checkpointing: blocks keep only what goes in, and compute the rest again in backward.

Chen et al. 2016, arXiv:1604.06174. Dropout draws the same numbers both times.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from openhearth.models import Model
from openhearth.models.device import making_on


def recompute(model: Model) -> None:
    """Let every block of a model do so while it trains."""
    for block in model.blocks:
        again = _making_there(block.forward, model.device)
        block.forward = partial(checkpoint, again, use_reentrant=False)


def _making_there(forward: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """Backward runs on a thread of its own, which knows nothing of the `making_on` around it."""

    def run(*values: Any) -> Any:
        with making_on(device):
            return forward(*values)

    return run
