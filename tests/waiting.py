"""Waiting for what is sure to happen: for events, and never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

WAIT = 240.0  # seconds, on the busiest machine


def until(happened: Callable[[], Any]) -> Any:
    """What `happened` returns as soon as it is something."""
    deadline = time.monotonic() + WAIT
    while not (found := happened()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found
