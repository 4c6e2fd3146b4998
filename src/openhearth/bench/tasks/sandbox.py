"""Runs a function that a model wrote, in a process of its own with little room.

A guard against accidents: endless loops, too much memory, files written, a network asked. It is not
a guard against an attacker, who should meet a virtual machine. The process has no environment, an
empty folder to work in, limits of time, memory and file size, and hooks that refuse files for
writing, sockets and other processes; where `unshare` may, it has no network at all. It never knows
what would be right, so that nothing in it can claim to be.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

CPU_S = 4
WALL_S = 10
MEMORY = 1 << 30
FILE_BYTES = 1 << 20  # of what comes back
CHILD = Path(__file__).with_name("sandboxed.py")
ALONE = ("unshare", "--user", "--map-root-user", "--net")


def outputs(code: str, name: str, inputs: list[Any]) -> list[Any] | None:
    """What the function of this name returns for each input, each as JSON would have it.

    None if the code is none, has no such function, raises, takes too long, or does what is refused.
    """
    task = {
        "code": code,
        "name": name,
        "inputs": inputs,
        "limits": {"cpu_s": CPU_S, "wall_s": WALL_S, "memory": MEMORY, "file": FILE_BYTES},
    }
    with TemporaryDirectory() as folder, Path(folder, "out").open("w+b") as out:
        work = Path(folder, "work")
        work.mkdir()
        command = [*_alone(), sys.executable, "-I", "-S", "-B", str(CHILD)]
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.DEVNULL,
            cwd=work,
            env={},
            start_new_session=True,
        )
        try:
            child.communicate(json.dumps(task).encode(), WALL_S)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(child)
        out.seek(0)
        return _read(out.read()) if child.returncode == 0 else None


def _end(child: subprocess.Popen[bytes]) -> None:
    """With all that it may have started."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it has ended by itself, and was waited for
    child.wait()


def _read(told: bytes) -> list[Any] | None:
    try:
        return json.loads(told)
    except (ValueError, RecursionError):
        return None


@cache
def _alone() -> tuple[str, ...]:
    """How to start a process without a network, if this machine lets us."""
    if shutil.which(ALONE[0]) is None:
        return ()
    tried = subprocess.run([*ALONE, "true"], capture_output=True)
    return ALONE if tried.returncode == 0 else ()
