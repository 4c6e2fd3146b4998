"""Which platform runs over a home: what `hearth up` writes there, and other commands look up.

A lock says whether one runs, which the kernel frees however its holder ends; a file that only its
owner can read says which. So what a killed one has left behind is not mistaken for one that runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from openhearth.errors import HearthError
from openhearth.store.disk import explain_disk_errors, write_atomically

PATIENCE = 0.5  # seconds: others hold the lock for an instant, to look whether it is free
LOOK = 0.02


@dataclass(frozen=True)
class Running:
    """A platform: the process that holds it together, where it listens, and where commands on this
    machine ask it, with which key. `since` is in seconds of UTC; `processes` are the ids of its
    parts.
    """

    pid: int
    url: str
    local: str
    key: str
    since: int
    ready: bool = False
    processes: dict[str, int | None] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)


def running(home: Path) -> Running | None:
    """The platform that runs over a home, if one does and has said so."""
    try:
        with _lock_file(home) as file:
            if _take(file, fcntl.LOCK_SH):
                return None
        return Running(**json.loads(_file(home).read_text()))
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def only_one(home: Path) -> Iterator[Callable[[Running], None]]:
    """Be the platform of a home; the function writes down what there is to know of it.

    Raises:
        HearthError: another one runs.
    """
    with explain_disk_errors(home):
        _file(home).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = _lock_file(home)
    with file:
        deadline = time.monotonic() + PATIENCE
        while not _take(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise HearthError(_who(home))
            time.sleep(LOOK)
        _file(home).unlink(missing_ok=True)  # a killed one has left it behind
        try:
            yield lambda said: write_atomically(_file(home), json.dumps(asdict(said)).encode())
        finally:
            _file(home).unlink(missing_ok=True)


def log_of(home: Path, name: str) -> Path:
    """Where a part of the platform writes its log."""
    return home / "logs" / f"{name}.log"


def _file(home: Path) -> Path:
    return home / "run" / "platform.json"


def _lock_file(home: Path) -> IO[str]:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    return os.fdopen(os.open(home / "run" / "lock", flags, 0o600), "r+")


def _take(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _who(home: Path) -> str:
    other = running(home)
    where = f"at {other.url} (process {other.pid})" if other else "and is just starting"
    return (
        f"A platform runs over {home} already, {where}: `hearth status` tells about it, and "
        "`hearth down` ends it."
    )
