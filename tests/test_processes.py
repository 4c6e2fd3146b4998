"""Processes that end with us. The broker's and the remote server's tests kill the parents."""

from __future__ import annotations

import ctypes
import platform
import socket
import subprocess
from pathlib import Path

import pytest

from openhearth.processes import LOOPBACK, attached, free_port, give_back


def test_an_attached_process_is_the_command_itself() -> None:
    done = subprocess.run(
        attached(["sh", "-c", "echo $1; exit 7", "sh", "a b"]), capture_output=True
    )
    assert (done.returncode, done.stdout) == (7, b"a b\n")


def test_a_free_port_can_be_listened_on() -> None:
    socket.create_server((LOOPBACK, free_port())).close()


def resident() -> int:
    """Bytes of this process that are in memory."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others do not keep what is freed")
def test_what_is_freed_goes_back_to_the_system() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    size, count = 2**16, 1500  # bytes; blocks that are not maps of their own
    blocks = [libc.malloc(size) for _ in range(count)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    *most, last = blocks  # above which nothing can be cut off
    for block in most:
        libc.free(block)
    before = resident()
    give_back()
    assert before - resident() > size * count / 2
    libc.free(last)
