"""An alarm that rings when it shall: timers of libuv, and of epoll, know milliseconds only.

Linux's timerfd knows nanoseconds, and wakes a loop that sleeps as a byte from the network does.
"""

from __future__ import annotations

import asyncio
import ctypes
import math
import os
import sys
import time
from collections.abc import Callable

CLOCK_MONOTONIC, NONBLOCK, CLOEXEC, ABSOLUTE = 1, 0o4000, 0o2000000, 1  # of sys/timerfd.h


class _Times(ctypes.Structure):
    """struct itimerspec: an interval, and a first time, in seconds and nanoseconds."""

    _fields_ = (("_", ctypes.c_long * 2), ("first", ctypes.c_long * 2))


class Alarm:
    """Calls `ring` at a time of CLOCK_MONOTONIC, the last that was set; inf is never."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop, self._ring = loop, ring
        self._timer: asyncio.TimerHandle | None = None
        self._descriptor = -1
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._descriptor = self._libc.timerfd_create(CLOCK_MONOTONIC, NONBLOCK | CLOEXEC)
            if self._descriptor < 0:
                raise OSError(ctypes.get_errno(), "timerfd_create failed")
            loop.add_reader(self._descriptor, ring)

    def set(self, at: float) -> None:
        """Ring then, and not at the time that was set before; at once, if it has passed."""
        if self._descriptor < 0:
            self._set_roughly(at)
            return
        nanoseconds = 0 if at == math.inf else max(1, int(at * 1e9))
        times = _Times((0, 0), divmod(nanoseconds, 10**9))
        self._libc.timerfd_settime(self._descriptor, ABSOLUTE, ctypes.byref(times), None)

    def close(self) -> None:
        """Never ring again."""
        if self._timer is not None:
            self._timer.cancel()
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)

    def _set_roughly(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if at < math.inf:
            self._timer = self._loop.call_later(max(0.0, at - time.monotonic()), self._ring)
