"""What needs torch keeps no server from starting: it is imported for the first job."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from openhearth.platform import batches, evaluations, finetuning
sys.exit("torch" in sys.modules)
"""


def test_the_routes_are_there_before_torch() -> None:
    assert subprocess.run([sys.executable, "-c", CODE]).returncode == 0
