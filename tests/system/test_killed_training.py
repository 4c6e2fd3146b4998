"""`hearth train` killed at random points, again and again: it ends with the bytes of one run.

`OPENHEARTH_KILLS=20` is the full form; the short one kills a few times.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openhearth.models import pull
from openhearth.store import Store
from tests.system.conftest import hearth

pytestmark = pytest.mark.system
KILLS = int(os.environ.get("OPENHEARTH_KILLS", "3"))
# A thread kills its process at a random moment of the training itself: within a micro-batch, an
# update, an evaluation, or while a checkpoint is written.
KILLER = """
import os, signal, sys, threading, time
from openhearth.training import loop
from openhearth.cli import run

gradients, delay = loop._gradients, float(sys.argv.pop(1))

def first(*arguments):
    loop._gradients = gradients
    threading.Thread(target=kill, daemon=True).start()
    return gradients(*arguments)

def kill():
    time.sleep(delay)
    os.kill(os.getpid(), signal.SIGKILL)

loop._gradients = first
sys.exit(run())
"""
RECIPE = """
model: tiny
data: DATA
heldout: DATA
adapter: {rank: 4, dropout: 0.1}
epochs: 12
batch_tokens: 128
micro_tokens: 64
dtype: float32
checkpoint_steps: 2
evaluation: {every: 7, patience: 100}
"""


def prepared(home: Path, directory: Path) -> tuple[Path, Path]:
    """A store with the model, and a recipe over a file."""
    pull(Store(home), str(directory), name="tiny")
    rows = [{"prompt": f"number {i}", "completion": f" is the sum of {i} and 0"} for i in range(40)]
    data, recipe = home / "data.jsonl", home / "recipe.yaml"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe.write_text(RECIPE.replace("DATA", str(data)))
    return home, recipe


def test_a_run_that_is_killed_again_and_again_ends_with_the_same_digest(
    tmp_path: Path, tiny_directory: Path
) -> None:
    home, recipe = prepared(tmp_path / "whole", tiny_directory)
    unbroken = hearth(home, "--json", "train", str(recipe))
    assert unbroken.returncode == 0, unbroken.stderr
    whole = json.loads(unbroken.stdout)
    seconds = whole["metrics"]["tokens"] / whole["cost"]["tokens_per_second"]

    home, recipe = prepared(tmp_path / "killed", tiny_directory)
    draw, killed = random.Random(0), 0
    command = [sys.executable, "-c", KILLER]
    for _ in range(KILLS):
        delay = str(draw.uniform(0, seconds / 2))
        done = subprocess.run(
            [*command, delay, "--home", str(home), "--json", "train", str(recipe)],
            capture_output=True,
            check=False,
        )
        killed += done.returncode == -signal.SIGKILL
        if done.returncode == 0:  # it came to its end: begin the next one anew
            assert json.loads(done.stdout)["digest"] == whole["digest"]
            home, recipe = prepared(tmp_path / f"killed-{killed}", tiny_directory)
        else:
            assert done.returncode == -signal.SIGKILL, done.stderr
    assert killed
    resumed = hearth(home, "--json", "train", str(recipe))
    assert json.loads(resumed.stdout)["digest"] == whole["digest"]
    assert not list(home.glob("work/*/*"))
