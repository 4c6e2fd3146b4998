"""The README's Python example runs as it stands, on the store that the demo has left."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.conftest import Demo

pytestmark = pytest.mark.system
README = Path(__file__).parents[2] / "README.md"


def test_the_example_in_the_readme_runs(demo: Demo) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        env=os.environ | {"OPENHEARTH_HOME": str(demo.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    count, metrics, *answer = done.stdout.splitlines()
    assert int(count.removesuffix(" documents")) > 20  # modules of three packages
    assert "heldout" in metrics
    assert re.search(r"\w+ \w+", " ".join(answer))
