"""The chaos in short; `make chaos` is the long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system


def test_a_short_chaos_leaves_the_books_in_order() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.system.chaos", "--kills", "10", "--requests", "200"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
