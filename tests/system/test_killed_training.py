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
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from openhearth.models import pull
from openhearth.store import Store
from tests.system.conftest import free_port

pytestmark = pytest.mark.system
KILLS = int(os.environ.get("OPENHEARTH_KILLS", "4"))
# A thread kills its process some time after a function of a module was called for the n-th time: a
# moment within an encoding, the packing, a micro-batch, an update, an evaluation, or a checkpoint.
KILLER = """
import importlib, os, signal, sys, threading, time
from openhearth.cli import run

module, name, number, delay = (sys.argv.pop(1) for _ in range(4))
module, left, delay = importlib.import_module(module), int(number), float(delay)
whole = getattr(module, name)

def counted(*arguments, **named):
    global left
    left -= 1
    if left == 0:
        threading.Thread(target=kill, daemon=True).start()
    return whole(*arguments, **named)

def kill():
    time.sleep(delay)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(module, name, counted)
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
stages: 5
evaluation: {every: 7, patience: 100}
"""


@dataclass(frozen=True)
class Place:
    """A function of the run; how often it is called in it, and how long, in seconds, it may take
    until death comes.
    """

    module: str
    name: str
    calls: int
    within: float

    def drawn(self, draw: random.Random) -> list[str]:
        """The arguments of the killer for a random moment of this place."""
        delay = draw.uniform(0, self.within)
        return [self.module, self.name, str(draw.randint(1, self.calls)), f"{delay:.6f}"]


BEFORE = [  # where nothing is made yet
    Place("openhearth.data.tokens.finetuning", "encode_row", 70, 0.001),
    Place("openhearth.data.tokens.finetuning", "_write", 2, 0.02),
]
WITHIN = [
    Place("openhearth.training.order", "pack", 12, 0.001),
    Place("openhearth.training.loop", "_gradients", 30, 0.05),
    Place("openhearth.training.loop", "_look", 30, 0.01),
    Place("openhearth.training.stages", "save_file", 2, 0.001),
    Place("openhearth.training.checkpoint", "save_file", 8, 0.001),
    Place("openhearth.training.checkpoint", "file_digest", 8, 0.001),
    Place("openhearth.training.train", "account", 1, 0.005),
]


@dataclass
class Home:
    """A store with the model, and a recipe over a file."""

    root: Path
    model: Path
    recipe: Path = field(init=False)

    def __post_init__(self) -> None:
        pull(Store(self.root), str(self.model), name="tiny")
        rows = [
            {"prompt": f"number {i}", "completion": f" is the sum of {i} and 0"} for i in range(40)
        ]
        data, self.recipe = self.root / "data.jsonl", self.root / "recipe.yaml"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.recipe.write_text(RECIPE.replace("DATA", str(data)))

    @property
    def has_tokens(self) -> bool:
        return any(artifact.kind == "dataset" for artifact in Store(self.root).artifacts())

    def train(self) -> dict[str, Any]:
        """To the end."""
        with self._process("-m", "openhearth.cli") as child:
            said, complained = child.communicate()
        assert child.returncode == 0, complained
        assert not list(self.root.glob("work/*/*"))
        return json.loads(said)

    def begin(self, killer: Sequence[str], **environment: str) -> subprocess.Popen[str]:
        """In a process that will die."""
        return self._process("-c", KILLER, *killer, **environment)

    def _process(self, *python: str, **environment: str) -> subprocess.Popen[str]:
        """One thread, which is quicker for a model so small."""
        command = [sys.executable, *python, "--home", str(self.root)]
        return subprocess.Popen(
            [*command, "--json", "train", str(self.recipe)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, tiny_directory: Path) -> tuple[Home, Any]:
    """A run that nothing happened to."""
    home = Home(tmp_path_factory.mktemp("unbroken"), tiny_directory)
    return home, home.train()


def test_a_run_that_is_killed_again_and_again_ends_with_the_same_digest(
    tmp_path: Path, tiny_directory: Path, unbroken: tuple[Home, Any]
) -> None:
    """Digests of results hold those of the stages on their way."""
    whole = unbroken[1]
    assert len(whole["metrics"]["stages"]) == 4
    draw, killed, homes = random.Random(0), 0, 0
    home = Home(tmp_path / "0", tiny_directory)
    while killed < KILLS:
        place = draw.choice(WITHIN if home.has_tokens else BEFORE)
        with home.begin(place.drawn(draw)) as child:
            said, complained = child.communicate()
        assert child.returncode in (0, -signal.SIGKILL), complained
        killed += child.returncode == -signal.SIGKILL
        if child.returncode == 0:  # it came to its end before the moment did: begin anew
            assert json.loads(said)["digest"] == whole["digest"]
            homes += 1
            home = Home(tmp_path / str(homes), tiny_directory)
    assert home.train()["digest"] == whole["digest"]


def test_a_run_goes_on_with_other_numbers_of_workers(
    tmp_path: Path, tiny_directory: Path, unbroken: tuple[Home, Any]
) -> None:
    """One process, two, and one again, each but the last killed. Sums of gradients are in another
    order with two, so weights agree to 1e-4, which is what the rounding of fp32 grows to.
    """
    home, draw = Home(tmp_path / "home", tiny_directory), random.Random(1)
    with home.begin([*GRADIENTS, "5", str(draw.uniform(0, 0.05))]) as alone:
        alone.communicate()
    two = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    killer = [*GRADIENTS, "8", str(draw.uniform(0, 0.05))]
    pair = [home.begin(killer, RANK=str(rank), **two) for rank in range(2)]
    for child in pair:
        _, complained = child.communicate()
        # One dies, the other with it, by the signal or for want of its partner.
        assert child.returncode != 0, complained
    assert -signal.SIGKILL in {alone.returncode, *(child.returncode for child in pair)}
    assert max(int(p.name[:8]) for p in home.root.glob("work/*/checkpoints/[0-9]*")) >= 6
    whole, resumed = unbroken, (home, home.train())
    weights, others = (
        load_file(Store(h.root).get(m["digest"]).path("adapter_model.safetensors"))
        for h, m in (whole, resumed)
    )
    for name, value in weights.items():
        np.testing.assert_allclose(others[name], value, atol=1e-4, err_msg=name)
    assert resumed[1]["metrics"]["steps"] == whole[1]["metrics"]["steps"]


GRADIENTS = ("openhearth.training.loop", "_gradients")
