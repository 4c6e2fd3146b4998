"""Each side of a comparison in a process of its own, so that neither's threads slow the other's.

Two teams of OpenMP threads in one process share the cores badly even when one of them waits; a
process that waits for its turn uses nothing.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

Measure = Callable[..., Any]


def side(prepare: Callable[[], Measure]) -> Measure:
    """Start a process that prepares itself once; calling the result measures there."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    context.Process(target=_work, args=(there, prepare), daemon=True).start()

    def measure(*arguments: Any) -> Any:
        here.send(arguments)
        return here.recv()

    return measure


def _work(connection: Connection, prepare: Callable[[], Measure]) -> None:
    measure = prepare()
    with contextlib.suppress(EOFError):  # the comparison has ended
        while True:
            connection.send(measure(*connection.recv()))
