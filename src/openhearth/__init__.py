"""OpenHearth: text in, models out, on whatever machines you have.

    import openhearth as oh

    corpus = oh.read("python:installed")
    dataset = oh.filter("python:installed", rules="docstrings")
    adapter = oh.tune(base="smollm2-135m", data=dataset)
    print(oh.generate(adapter, "What does len() return?"))

The rooms (`openhearth.data`, `openhearth.models`, …) have everything else. Nothing heavy is
imported before it is used.
"""

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = ["filter", "generate", "read", "tune"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("openhearth.api"), name)
    raise AttributeError(f"module 'openhearth' has no attribute {name!r}")
