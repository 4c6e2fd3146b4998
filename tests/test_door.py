"""Rooms give what their doors promise, and load nothing before it is asked for."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from openhearth.door import lazily
from openhearth.errors import MissingExtra

ROOMS = ["data", "models", "inference", "fleet"]


@pytest.mark.parametrize("room", [f"openhearth.{name}" for name in ROOMS])
def test_everything_that_is_promised_is_there(room: str) -> None:
    module = importlib.import_module(room)
    for name in module.__all__:
        thing = getattr(module, name)
        assert not isinstance(thing, type(module)), name
        assert getattr(module, name) is thing
    with pytest.raises(AttributeError, match="nobody"):
        _ = module.nobody


def test_a_missing_package_is_told_with_its_extra() -> None:
    door = lazily("json", {"JSONDecoder": "decoder", "x": "gone"}, extras={"json.gone": "torch"})
    assert door("JSONDecoder").__name__ == "JSONDecoder"
    with pytest.raises(MissingExtra, match=r"openhearth\[torch\]"):
        door("x")


def test_opening_the_door_loads_no_room() -> None:
    program = "import openhearth.data, openhearth.models, sys; print(len(sys.modules))"
    program += "; print([m for m in sys.modules if m in ('torch', 'pyarrow', 'numpy')])"
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
