"""Processes of ours that end with us, whatever ends us, and what they do not need any more."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Sequence

LOOPBACK = "127.0.0.1"
# A program of its own, because code between fork and exec is not safe beside threads.
ATTACHED = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(sys.argv[2]))  # PR_SET_PDEATHSIG of linux/prctl.h
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[3], sys.argv[3:])
"""


def attached(command: Sequence[str], number: int = signal.SIGTERM) -> list[str]:
    """The same command, whose process the kernel ends by a signal (on Linux) when the thread ends
    that starts it: start it from one that lives as long as the process shall.
    """
    parent = [str(os.getpid()), str(int(number))]
    return [sys.executable, "-I", "-S", "-c", ATTACHED, *parent, *command]


def free_port() -> int:
    """A port of the loopback where nobody listens now."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        return listener.getsockname()[1]


def give_back() -> None:
    """Return to the system what was freed: glibc keeps most of it otherwise. It takes milliseconds,
    and is for after something large; where there is another allocator, nothing happens.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
