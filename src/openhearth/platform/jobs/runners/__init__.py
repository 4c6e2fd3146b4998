"""What carries out jobs, by kind: each is a function from a task to the job's result."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from openhearth.platform.jobs.task import Task

Runner = Callable[[Task], dict[str, Any]]

RUNNERS = {
    "batch": "openhearth.platform.jobs.runners.batch:run",
    "data": "openhearth.platform.jobs.runners.data:run",
    "evaluation": "openhearth.platform.jobs.runners.evaluation:run",
    "fine-tune": "openhearth.platform.jobs.runners.fine_tune:run",
}
"""Where they are; imported when a job of the kind comes."""


def runner_of(kind: str) -> Runner:
    """The runner of a kind, which is one of `RUNNERS`."""
    module, _, name = RUNNERS[kind].partition(":")
    return getattr(import_module(module), name)
