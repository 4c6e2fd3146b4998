"""The soak in short; `python -m tests.system.soak` is the long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from openhearth.inference.native import _engine

pytestmark = pytest.mark.system


@pytest.mark.skipif(_engine is None, reason="the extension was not built")
@pytest.mark.parametrize("model", [[], ["--hybrid"]])
def test_a_short_soak_leaves_nothing_behind(model: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.system.soak", "--requests", "600", *model],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
