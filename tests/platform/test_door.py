"""The room says which extra it needs when that is not installed."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("package", ["fastapi", "uvicorn"])
def test_without_its_packages_the_room_names_the_extra(package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from openhearth.platform import serve"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode == 1
    assert "MissingExtra" in child.stderr
    assert f"{package} is not installed" in child.stderr
    assert "openhearth[serve]" in child.stderr
