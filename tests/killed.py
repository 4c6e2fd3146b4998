"""For runs in processes of their own: die, as by kill -9, when so many parts have their markers."""

from __future__ import annotations

import os
import signal


def at_marker(number: int) -> None:
    """End this process by SIGKILL as soon as it has written its `number`-th marker."""
    replace, written = os.replace, 0

    def count(source: str, target: str) -> None:
        nonlocal written
        replace(source, target)
        written += str(target).endswith(".done")
        if written == number:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = count
