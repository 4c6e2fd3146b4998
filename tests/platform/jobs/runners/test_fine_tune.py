"""Fine-tuning as a job: what it says, where it stops, and that dying twice changes no weight."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from openhearth.models import pull
from openhearth.platform.jobs.runners import fine_tune
from openhearth.platform.jobs.task import Stopped, Task
from openhearth.store import Store

ROWS = [{"prompt": f"number {i}", "completion": f" is {i}"} for i in range(40)]


@pytest.fixture
def home(tmp_path: Path, tiny_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path / "home"))
    pull(Store(), str(tiny_directory), name="tiny")
    return tmp_path / "home"


@pytest.fixture
def recipe(tmp_path: Path) -> dict[str, Any]:
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return {
        "model": "tiny",
        "data": str(data),
        "heldout": str(data),
        "adapter": {"rank": 2},
        "batch_tokens": 128,
        "epochs": 3,
        "checkpoint_steps": 2,
        "evaluation": {"every": 3, "items": 4},
        "stages": 2,
        "dtype": "float32",
        "name": "proj_a/bot",
    }


class Said(list[dict[str, Any]]):
    """What a task tells, and the process's end after so many steps."""

    def task(self, recipe: dict[str, Any], work: Path) -> Task:
        return Task("job_1", "proj_a", {"recipe": recipe}, None, work, self.append)

    def of(self, kind: str) -> list[Any]:
        return [said[kind] for said in self if kind in said]


def test_a_job_tells_its_steps_and_names_what_it_made(
    home: Path, recipe: Any, tmp_path: Path
) -> None:
    said = Said()
    result = fine_tune.run(said.task(recipe, tmp_path))
    store = Store()
    made = store.get("proj_a/bot:1")
    assert (result["name"], result["digest"]) == ("proj_a/bot:1", made.digest)
    assert result["trained_tokens"] == made.manifest.metrics["tokens"]
    steps = result["steps"]
    assert steps == 12
    rows: dict[int, dict[str, float]] = {}
    for metric in said.of("metric"):
        rows[metric["step"]] = rows.get(metric["step"], {}) | metric["values"]
    assert sorted(rows) == list(range(1, steps + 1))
    names = {"loss", "tokens", "learning_rate", "gradient_norm", "tokens_per_second"}
    assert all(row.keys() >= names for row in rows.values())
    assert [step for step, row in rows.items() if "heldout_loss" in row] == sorted(
        {*range(3, steps + 1, 3), steps}
    )
    assert said.of("checkpoint")[-1] == {"step": steps, "total": steps}
    types = [event["type"] for event in said.of("event")]
    assert types.count("checkpoint_save") == 2
    assert types[-1] == "training_complete"
    for kept in result["checkpoints"]:
        assert store.get(kept["name"]).digest == kept["digest"]
    # Carried out again, everything is found.
    again = Said()
    assert fine_tune.run(again.task(recipe, tmp_path)) == result


def test_it_stops_between_steps(home: Path, recipe: Any, tmp_path: Path) -> None:
    said = Said()
    task = said.task(recipe, tmp_path)
    task._tell = lambda line: (said.append(line), setattr(task, "cancelled", "metric" in line))
    with pytest.raises(Stopped):
        fine_tune.run(task)
    assert len(said.of("metric")) == 1


def test_cancelled_while_nobody_had_it_it_trains_no_more(
    home: Path, recipe: Any, tmp_path: Path
) -> None:
    said = Said()
    task = said.task(recipe, tmp_path)
    task.cancelled = True
    with pytest.raises(Stopped) as stopped:
        fine_tune.run(task)
    assert stopped.value.cancelled
    assert said == []


KILLED = """
import os, signal, sys, orjson
from openhearth.platform.jobs.runners import fine_tune
from openhearth.platform.jobs.task import Task
last = int(sys.argv[2])
def tell(said):
    if said.get("metric", {}).get("step") == last:
        os.kill(os.getpid(), signal.SIGKILL)
payload = {"recipe": orjson.loads(sys.argv[1])}
print(fine_tune.run(Task("job_1", "proj_a", payload, None, None, tell))["digest"])
"""


def test_killed_twice_it_makes_the_same_weights(
    home: Path, recipe: Any, tmp_path: Path, tiny_directory: Path
) -> None:
    def carry_out(home: str, last: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", KILLED, orjson.dumps(recipe).decode(), str(last)]
        environment = os.environ | {"OPENHEARTH_HOME": str(tmp_path / home)}
        return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)

    for step in (5, 9):
        assert carry_out("home", step).returncode == -signal.SIGKILL
    killed = carry_out("home", -1)
    assert killed.returncode == 0
    pull(Store(tmp_path / "whole"), str(tiny_directory), name="tiny")
    assert carry_out("whole", -1).stdout == killed.stdout
