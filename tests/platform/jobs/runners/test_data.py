"""A data recipe as a job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openhearth.data import CurateRecipe
from openhearth.data.carry_out import carry_out
from openhearth.models import pull
from openhearth.platform.jobs.runners import data
from openhearth.platform.jobs.task import Stopped, Task
from openhearth.store import Store

TEXT = "The quick brown fox number {} jumps over the lazy dog, and then it goes home to sleep. "


@pytest.fixture
def recipe(tmp_path: Path, tiny_directory: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path / "home"))
    pull(Store(), str(tiny_directory), name="tiny")
    path = tmp_path / "texts.jsonl"
    rows = [{"text": TEXT.format(i) * 3 + f"It is {i * i}.", "url": f"u{i}"} for i in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    recipe = {"source": str(path), "rules": [], "similarity": None, "name": "proj_a/clean"}
    return recipe | {"tokens": {"tokenizer": "tiny"}}


def test_it_makes_what_the_recipe_makes(recipe: dict[str, Any], tmp_path: Path) -> None:
    said: list[dict[str, Any]] = []
    result = data.run(Task("job_1", "proj_a", recipe, None, tmp_path, said.append))
    store = Store()
    dataset, tokens = carry_out(store, CurateRecipe.parse(recipe))
    assert tokens is not None
    assert result["digest"] == dataset.digest == store.get("proj_a/clean").digest
    assert result["tokens"]["digest"] == tokens.digest == store.get("proj_a/clean-tokens").digest
    assert sum(step["removed"] for step in result["funnel"]) == 1
    json.dumps(result)
    assert any("checkpoint" in line for line in said)


def test_it_stops_between_parts(recipe: dict[str, Any], tmp_path: Path) -> None:
    task = Task("job_1", "proj_a", recipe, None, tmp_path, lambda line: None)
    task.cancelled = True
    with pytest.raises(Stopped):
        data.run(task)
