"""The process of a lane: `python -m openhearth.platform.apart.child`.

Each line of standard input is a piece of work, each answer on standard output a header and bytes;
what libraries print goes to standard error. It gives way to everything else on the machine, takes
no more memory than a piece of work may, and ends with its standard input.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import orjson

from openhearth.errors import HearthError
from openhearth.fleet.errors import kind_of
from openhearth.platform.apart.work import BROKEN, DONE, HEADER, REFUSED, TOO_MUCH

NICE = 5
FIRST_TO_GO = "1000"  # of Linux's oom_score_adj


def main() -> None:
    """Do what standard input asks for, piece by piece."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the gateway's business
    os.nice(NICE)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    for line in sys.stdin.buffer:
        kind, said = _outcome(orjson.loads(line))
        channel.write(HEADER.pack(kind, len(said)) + said)
        channel.flush()


def _outcome(asked: dict[str, Any]) -> tuple[int, bytes]:
    """How a piece of work ended, and what it made or why it failed."""
    try:
        _bound(asked["memory"])
        module, _, name = asked["function"].partition(":")
        return DONE, getattr(importlib.import_module(module), name)(**asked["arguments"])
    except HearthError as error:
        return REFUSED, orjson.dumps([kind_of(error), str(error)])
    except MemoryError:
        return TOO_MUCH, b""
    except Exception:
        traceback.print_exc()
        return BROKEN, b""


def _bound(memory: int) -> None:
    """Allow so many bytes for what is written; files that are only mapped do not count."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most != resource.RLIM_INFINITY:
        memory = min(memory, most)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, most))


if __name__ == "__main__":
    main()
