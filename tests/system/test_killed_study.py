"""`hearth study` killed in the middle of its runs: it goes on, and ends with the bytes of one that
was not."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from openhearth.store import Store
from openhearth.training.study import StudyRecipe, study
from tests.training.study.studies import small, write_text

pytestmark = pytest.mark.system
# Dies at the step of this number, counted over the runs of the process.
KILLER = """
import os, signal, sys
from openhearth.training import loop
from openhearth.cli import run

gradients, left = loop._gradients, int(sys.argv.pop(1))

def count(*arguments):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return gradients(*arguments)

loop._gradients = count
sys.exit(run())
"""


def test_a_study_that_is_killed_goes_on(tmp_path: Path) -> None:
    recipe = small(write_text(tmp_path / "text"))
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    home = tmp_path / "killed"
    for step in ("10", "15"):
        command = [sys.executable, "-c", KILLER, step, "--home", str(home), "study", str(file)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert len([a for a in Store(home).artifacts() if a.kind == "model"]) < 14
    resumed = study(Store(home), StudyRecipe.load(file))
    assert resumed.digest == study(Store(tmp_path / "whole"), recipe).digest
    models = [a for a in Store(home).artifacts() if a.kind == "model"]
    assert len(models) == 14
