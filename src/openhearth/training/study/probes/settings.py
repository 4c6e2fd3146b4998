"""MAD's settings of its six tasks, read from `mad.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from openhearth.training.study.probes import AnyProbe, Probe

MAD = Path(__file__).with_name("mad.yaml")


@cache
def mad() -> dict[str, Any]:
    """The file's content."""
    return yaml.safe_load(MAD.read_text())


def variants(task: str) -> list[Probe]:
    """A task of MAD as it is, then with one setting after the other changed.

    Raises:
        KeyError: MAD has no such task.
    """
    said, adapter = mad()["tasks"][task], TypeAdapter[Any](AnyProbe)
    base = {"name": task, **said["base"]}
    changed = [
        base | {setting: value} for setting, values in said["changes"].items() for value in values
    ]
    return [adapter.validate_python(settings) for settings in (base, *changed)]
