"""A run is the same each time: its random numbers are its own, and no sum depends on chance."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils import deterministic

from openhearth.models.device import making_on


@contextmanager
def exact_on(device: torch.device, *, strict: bool = True) -> Iterator[None]:
    """Within it, computing on a device gives the same bits each time, what is made for no device is
    made there, and the numbers that are drawn leave no trace outside.

    A GPU sums in an order of chance where no other is asked for. Some sums know no other: to ask
    for it is an error if `strict`, else a warning.
    """
    if device.type == "cpu":
        with torch.random.fork_rng(devices=[]):
            yield
        return
    # Read by cuBLAS when it is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.get_deterministic_debug_mode(), _fills(False)
    torch.use_deterministic_algorithms(True, warn_only=not strict)
    try:
        with making_on(device), torch.random.fork_rng(devices=[device]):
            yield
    finally:
        torch.set_deterministic_debug_mode(before[0])
        _fills(before[1])


def _fills(new: bool) -> bool:
    """Whether torch fills memory that nothing has written yet, so far; it costs a pass over it."""
    # A property of the module, put there while it is loaded, so that type checkers do not see it.
    before: bool = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    deterministic.fill_uninitialized_memory = new  # type: ignore[attr-defined]
    return before
