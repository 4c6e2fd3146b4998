"""Work for tests, which a process apart imports."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from openhearth.errors import NotFound


def pid() -> bytes:
    return str(os.getpid()).encode()


def wait_for(path: str) -> bytes:
    """Read what somebody writes into a pipe."""
    return Path(path).read_bytes()


def eat() -> bytes:
    """More memory than there may be."""
    return bytes(2**50)


def die() -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def refuse() -> bytes:
    raise NotFound("There is nothing.")


def err() -> bytes:
    raise KeyError("secret detail")


def stay() -> bytes:
    """Until somebody ends it."""
    signal.pause()
    return b""


def names() -> bytes:
    """Those of the environment."""
    return "\n".join(os.environ).encode()


def flood() -> bytes:
    """More than an answer may have."""
    return bytes(64 * 2**20 + 1)
