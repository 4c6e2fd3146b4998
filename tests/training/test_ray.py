"""Ray Train: workers of a real cluster of one machine make what one process makes."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from openhearth.models import pull
from openhearth.store import Store
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


def test_two_workers_make_what_one_process_makes(tmp_path: Path, tiny_directory: Path) -> None:
    stores = [Store(tmp_path / name) for name in ("alone", "together")]
    data = tmp_path / "data.jsonl"
    rows = [{"prompt": f"number {i}", "completion": f" is the sum of {i} and 0"} for i in range(12)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for store in stores:
        pull(store, str(tiny_directory), name="tiny")
    alone = carry_out(stores[0], TrainRecipe.parse(RECIPE | {"data": str(data)}))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(json.dumps(RECIPE | {"data": str(data), "name": "bot"}))
    # Ray's cluster outlives its first use in a process.
    command = [sys.executable, "-m", "openhearth.cli", "--home", str(stores[1].root)]
    done = subprocess.run(
        [*command, "train", str(recipe), "--on", "ray", "--workers", "2"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    together = stores[1].get("bot:1")
    histories = [artifact.read_json("history.json") for artifact in (alone, together)]
    for one, other in zip(*histories, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], abs=1e-5)
        assert other["tokens"] == one["tokens"]
