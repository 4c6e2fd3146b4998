"""Ray: the same files as threads make, from tasks on a real cluster of one machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openhearth.data import filter_corpus, read
from openhearth.data.executors import Threads
from openhearth.data.forms import open_output
from openhearth.data.ray import open_executor
from openhearth.data.signals import SignalRecipe
from openhearth.errors import HearthError

PACKAGES = "python:click,packaging,pytest"


def test_threads_are_the_default() -> None:
    executor = open_executor("threads", 3)
    assert isinstance(executor, Threads)
    assert executor.count == 3


@pytest.mark.system
def test_ray_makes_the_same_file_as_threads(tmp_path: Path) -> None:
    """In a process of its own, since Ray's cluster outlives its first use in one."""
    ours, theirs = tmp_path / "threads.parquet", tmp_path / "ray.parquet"
    filter_corpus(
        read(PACKAGES), ["gopher-rpv2"], [], open_output(ours), SignalRecipe(), Threads(1)
    )
    command = [sys.executable, "-m", "openhearth.cli", "--quiet", "data", "filter", PACKAGES]
    command += ["--rules", "gopher-rpv2", "--on", "ray", "--out", str(theirs)]
    quiet = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
    found = subprocess.run(command, capture_output=True, text=True, env=quiet, timeout=300)
    assert found.returncode == 0, found.stderr
    assert theirs.read_bytes() == ours.read_bytes()


@pytest.mark.system
def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    program = "from openhearth.data.ray import open_executor; open_executor('ray://127.0.0.1:9')"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300
    )
    assert HearthError.__name__ in found.stderr
    assert "There is no Ray cluster at ray://127.0.0.1:9" in found.stderr
