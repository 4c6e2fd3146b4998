"""Ray: the same files as threads make, from tasks on a real cluster of one machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import orjson
import pytest

from openhearth.data import filter_corpus, read
from openhearth.data.dedup import Near, find, near
from openhearth.data.executors import Threads
from openhearth.data.forms import open_output
from openhearth.data.ray import open_executor
from openhearth.data.signals import SignalRecipe
from openhearth.errors import HearthError
from tests.data.dedup.test_find import planted

PACKAGES = "python:click,packaging,pytest"


def test_threads_are_the_default() -> None:
    executor = open_executor("threads", 3)
    assert isinstance(executor, Threads)
    assert executor.count == 3


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """A Python process of its own, since Ray's cluster outlives its first use in one."""
    quiet = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=quiet, timeout=300
    )


@pytest.mark.system
def test_ray_makes_the_same_file_as_threads(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "threads.parquet", tmp_path / "ray.parquet"
    filter_corpus(
        read(PACKAGES), ["gopher-rpv2"], [], open_output(ours), SignalRecipe(), Threads(1)
    )
    command = ["-m", "openhearth.cli", "--quiet", "data", "filter", PACKAGES]
    found = run(*command, "--rules", "gopher-rpv2", "--on", "ray", "--out", str(theirs))
    assert found.returncode == 0, found.stderr
    assert theirs.read_bytes() == ours.read_bytes()


# Finds duplicates on a cluster, whose workers note which jobs they did. With a second argument they
# put an end to it as soon as they group.
DEDUP = """
import os, signal, sys, uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openhearth.data import read
from openhearth.data.dedup import Near, find, near
from openhearth.data.ray import Ray

@dataclass(frozen=True)
class Noted:
    job: Any
    notes: Path
    driver: int
    deadly: bool

    def run(self, executor):
        name = type(self.job).__name__
        done = self.job.run(executor)
        by = "driver" if os.getpid() == self.driver else "worker"
        (self.notes / f"{name}-{by}-{uuid.uuid4().hex}").touch()
        if self.deadly and name == "Group":
            os.kill(self.driver, signal.SIGKILL)
        return done

class Noting(Ray):
    def run(self, jobs):
        return super().run([Noted(job, work / "notes", os.getpid(), deadly) for job in jobs])

work, deadly = Path(sys.argv[1]), len(sys.argv) > 3
executor = Noting()
(work / "notes").mkdir(parents=True, exist_ok=True)
found = find(read(sys.argv[2]), Near(near(0.7, 5)), work, executor=executor)
print(executor.width, found.copies)
"""


@pytest.mark.system
def test_workers_group_duplicates_and_a_killed_run_goes_on(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for i, text in enumerate(planted(60)):
        with (docs / f"{i % 5}.jsonl").open("ab") as file:
            file.write(orjson.dumps({"text": text}) + b"\n")
    ours = find(read(str(docs)), Near(near(0.7, 5)), tmp_path / "threads", executor=Threads(1))
    command = ["-c", DEDUP, str(tmp_path / "ray"), str(docs)]
    killed = run(*command, "deadly")
    assert killed.returncode == -signal.SIGKILL
    assert list(tmp_path.glob("ray/groups/*/grouped/*/done"))
    found = run(*command)
    assert found.returncode == 0, found.stderr
    width, copies = map(int, found.stdout.split())
    assert copies == ours.copies > 0
    for file in (ours.edges, *ours.files):
        same = tmp_path / "ray" / file.relative_to(tmp_path / "threads")
        assert same.read_bytes() == file.read_bytes()
    notes = Counter(p.name.rpartition("-")[0] for p in (tmp_path / "ray/notes").iterdir())
    assert set(notes) == {"Job-worker", "Scatter-worker", "Group-worker"}
    assert notes["Group-worker"] >= width >= 2


@pytest.mark.system
def test_what_a_worker_refuses_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("{\n" * 3)
    command = ["-m", "openhearth.cli", "data", "dedup", str(tmp_path / "bad.jsonl")]
    found = run(*command, "--quarantine", "2", "--on", "ray", "--out", str(tmp_path / "out.jsonl"))
    assert found.returncode == HearthError.exit_code
    assert "3 records were set aside, over the limit of 2" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.system
def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    program = "from openhearth.data.ray import open_executor; open_executor('ray://127.0.0.1:9')"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300
    )
    assert HearthError.__name__ in found.stderr
    assert "There is no Ray cluster at ray://127.0.0.1:9" in found.stderr
