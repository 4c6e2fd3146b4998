"""One platform for each home, and what is known of it."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from openhearth.errors import HearthError
from openhearth.platform.running import Running, log_of, only_one, running

STATE = Running(
    7, "http://127.0.0.1:8080", "http://127.0.0.1:2", "oh-secret", 1, True, {"node": 8}, {"node": 0}
)
HOLDER = """
import sys, time
from pathlib import Path
from openhearth.platform.running import Running, only_one
with only_one(Path(sys.argv[1])) as say:
    say(Running(1, "http://here", "http://there", "key", 2))
    print("holds", flush=True)
    time.sleep(600)
"""


def test_what_is_said_is_found_as_long_as_it_runs(tmp_path: Path) -> None:
    assert running(tmp_path) is None
    with only_one(tmp_path) as say:
        assert running(tmp_path) is None
        say(STATE)
        assert running(tmp_path) == STATE
        say(replace(STATE, ready=False))
        assert running(tmp_path) == replace(STATE, ready=False)
    assert running(tmp_path) is None
    assert running(tmp_path / "nowhere") is None


def test_only_its_owner_can_read_the_key(tmp_path: Path) -> None:
    with only_one(tmp_path) as say:
        say(STATE)
        (file,) = (tmp_path / "run").glob("*.json")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_second_one_is_told_of_the_first(tmp_path: Path) -> None:
    with only_one(tmp_path) as say:
        with pytest.raises(HearthError, match=r"just starting.*hearth status"), only_one(tmp_path):
            pass
        say(STATE)
        with pytest.raises(HearthError, match=rf"{STATE.url} \(process 7\)"), only_one(tmp_path):
            pass
        assert running(tmp_path) == STATE
    with only_one(tmp_path):
        pass


def test_what_a_killed_one_left_is_not_believed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "holds\n"
        found = running(tmp_path)
        assert found
        assert found.url == "http://here"
        holder.send_signal(signal.SIGKILL)
    assert list((tmp_path / "run").glob("*.json"))
    assert running(tmp_path) is None
    with only_one(tmp_path) as say:
        assert running(tmp_path) is None  # while the next one begins
        say(STATE)
        assert running(tmp_path) == STATE


def test_a_home_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HearthError, match="OPENHEARTH_HOME"), only_one(tmp_path / "file"):
        pass


def test_each_part_has_a_log(tmp_path: Path) -> None:
    assert log_of(tmp_path, "node").is_relative_to(tmp_path)
    assert log_of(tmp_path, "node") != log_of(tmp_path, "worker")
