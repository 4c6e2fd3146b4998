"""Ray Train: workers of a real cluster of one machine make what one process makes."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from openhearth.models import pull
from openhearth.store import Artifact, Store
from openhearth.training import TrainRecipe, carry_out

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="without Ray"),
]
RECIPE = {
    "model": "tiny",
    "adapter": {"rank": 2},
    "batch_tokens": 128,
    "micro_tokens": 64,
    "dtype": "float32",
}


@pytest.fixture
def stores(tmp_path: Path, tiny_directory: Path) -> list[Store]:
    """A store to train in alone, and one to train in together."""
    stores = [Store(tmp_path / name) for name in ("alone", "together")]
    for store in stores:
        pull(store, str(tiny_directory), name="tiny")
    return stores


@pytest.fixture
def data(tmp_path: Path) -> str:
    data = tmp_path / "data.jsonl"
    rows = [{"prompt": f"number {i}", "completion": f" is the sum of {i} and 0"} for i in range(12)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(data)


def start(store: Store, fields: dict[str, Any]) -> subprocess.Popen[str]:
    """Two workers on a cluster in a process of its own, which it outlives its first use in."""
    recipe = store.root / "recipe.yaml"
    recipe.write_text(json.dumps(fields | {"name": "bot"}))
    command = [sys.executable, "-m", "openhearth.cli", "--home", str(store.root)]
    return subprocess.Popen(
        [*command, "train", str(recipe), "--on", "ray", "--workers", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
    )


def result(run: subprocess.Popen[str], store: Store) -> Artifact:
    _, said = run.communicate()
    assert run.returncode == 0, said[-3000:]
    return store.get("bot:1")


def assert_alike(one: Artifact, other: Artifact) -> None:
    histories = [artifact.read_json("history.json") for artifact in (one, other)]
    for a, b in zip(*histories, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], abs=1e-5)
        assert b["tokens"] == a["tokens"]


def test_two_workers_make_what_one_process_makes(stores: list[Store], data: str) -> None:
    fields = RECIPE | {"data": data}
    alone = carry_out(stores[0], TrainRecipe.parse(fields))
    assert_alike(alone, result(start(stores[1], fields), stores[1]))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="not a Linux system")
def test_a_run_goes_on_when_a_worker_is_killed(stores: list[Store], data: str) -> None:
    fields = RECIPE | {"data": data, "epochs": 60, "optimizer": {"learning_rate": 1e-4}}
    alone = carry_out(stores[0], TrainRecipe.parse(fields))
    with start(stores[1], fields) as run:
        while not is_there("checkpoints/*.safetensors", stores[1]):
            assert run.poll() is None
            time.sleep(0.05)
        os.kill(worker_of(run.pid), signal.SIGKILL)
        assert not is_there("history.json", stores[1])  # it was not over
        assert_alike(alone, result(run, stores[1]))


def is_there(pattern: str, store: Store) -> bool:
    """Whether a file is in the store, whose directories may go while one looks."""
    return any(
        Path(at, name).match(pattern) for at, _, names in os.walk(store.root) for name in names
    )


def worker_of(process: int) -> int:
    """A worker of the cluster that a process has started."""
    for place in Path("/proc").glob("[0-9]*"):
        pid = int(place.name)
        try:
            if b"RayTrainWorker" in (place / "cmdline").read_bytes() and comes_from(pid, process):
                return pid
        except OSError:
            continue  # it is over
    raise AssertionError("No worker is left.")


def comes_from(pid: int, process: int) -> bool:
    while pid not in (process, 0):
        status = Path(f"/proc/{pid}/status").read_text()
        pid = int(status.partition("PPid:")[2].split()[0])
    return pid == process
