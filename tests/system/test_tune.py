"""`hearth tune` killed or interrupted: the next run goes on to the same bytes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openhearth.models import pull
from openhearth.store import Store
from tests.system.conftest import hearth
from tests.training.conftest import make_dataset

pytestmark = pytest.mark.system
TUNE = ("--json", "tune", "--base", "tiny", "--data", "numbers", "--tokens", "60000")


@pytest.fixture
def command(tmp_path: Path) -> tuple[str, ...]:
    """A run of some 60 steps, twelve checkpoints."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("base: tiny\ndata: numbers\nepochs: 100\ndtype: float32\n")
    return (*TUNE, str(recipe))


def prepared(home: Path, tiny_directory: Path) -> Path:
    store = Store(home)
    pull(store, str(tiny_directory), name="tiny")
    make_dataset(store)
    return home


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)]
)
def test_a_stopped_run_goes_on_to_the_same_digest(
    number: signal.Signals,
    code: int,
    tmp_path: Path,
    tiny_directory: Path,
    command: tuple[str, ...],
) -> None:
    home = prepared(tmp_path / "home", tiny_directory)
    arguments = [sys.executable, "-m", "openhearth.cli", "--home", str(home), *command]
    with subprocess.Popen(
        arguments,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore Ctrl-C, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as child:
        while not list(home.glob("work/*/checkpoints/[0-9]*")):
            assert child.poll() is None, "it ended before it could be stopped"
            time.sleep(0.001)
        child.send_signal(number)
        _, said = child.communicate()
    assert child.returncode == code
    assert "Traceback" not in said
    assert not [a for a in Store(home).artifacts() if a.kind == "adapter"]
    resumed = hearth(home, *command)
    assert resumed.returncode == 0, resumed.stderr
    unbroken = hearth(prepared(tmp_path / "other", tiny_directory), *command)
    assert json.loads(resumed.stdout)["digest"] == json.loads(unbroken.stdout)["digest"]
    assert not list(home.glob("work/*/*"))


def test_a_second_run_finds_what_is_there(
    tmp_path: Path, tiny_directory: Path, command: tuple[str, ...]
) -> None:
    home = prepared(tmp_path / "home", tiny_directory)
    first = hearth(home, *command, "--name", "mine")
    second = hearth(home, *command)
    assert json.loads(first.stdout) == json.loads(second.stdout)
    assert "tune " in first.stderr
    assert "tune " not in second.stderr
    assert json.loads(hearth(home, "--json", "show", "mine").stdout)["kind"] == "adapter"
