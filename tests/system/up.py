"""`hearth up` in a process of its own, and the processes that it keeps alive."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.waiting import WAIT, until

# A tiny model gains nothing by more, which only wait for each other where others compute too.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
LOCAL = {"OPENHEARTH_API_KEY", "OPENHEARTH_URL", "OPENHEARTH_DATABASE"}


@dataclass(frozen=True)
class Platform:
    """Where it answers, the key that it said, its home and its process."""

    url: str
    key: str
    home: Path
    process: subprocess.Popen[str]

    def state(self) -> dict[str, Any]:
        """What `hearth status` says."""
        return json.loads(hearth(self.home, "--json", "status").stdout)

    def kill(self, part: str) -> None:
        """End a part (kill -9), and wait until another one is there."""
        before = self.state()["processes"][part]
        os.kill(before, signal.SIGKILL)
        until(lambda: self.state()["processes"][part] not in (None, before))


def environment(home: Path) -> dict[str, str]:
    """Ours, without what is about another server."""
    ours = {name: value for name, value in os.environ.items() if name not in LOCAL}
    return ours | {"OPENHEARTH_HOME": str(home)}


def hearth(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command, to its end, whatever that is."""
    command = [sys.executable, "-m", "openhearth.cli", *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(home)
    )


def start(home: Path, *words: str, **variables: str) -> Platform:
    """`hearth up`, once it is ready."""
    command = [sys.executable, "-m", "openhearth.cli", "up", "--json", "--port", "0", *words]
    process = subprocess.Popen(
        [*command, "--no-model"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(home) | variables,
        start_new_session=True,
    )
    assert process.stdout
    line = process.stdout.readline()
    assert line, f"hearth up ended with {process.wait()}"
    return Platform(**json.loads(line), home=home, process=process)


@contextlib.contextmanager
def running(home: Path, *words: str, **variables: str) -> Iterator[Platform]:
    """`hearth up`, which at the end is stopped with Ctrl-C and must end cleanly."""
    platform = start(home, *words, **variables)
    try:
        yield platform
        platform.process.send_signal(signal.SIGINT)
        assert platform.process.wait(WAIT) == 0
    finally:
        platform.process.kill()
        platform.process.wait()
        assert platform.process.stdout
        platform.process.stdout.close()


def copy_of(home: Path, place: Path) -> Path:
    """A home with the same store, and nothing else."""
    shutil.copytree(home, place, ignore=shutil.ignore_patterns("keys.*", "platform.db*", "run"))
    return place
