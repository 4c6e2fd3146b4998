"""`hearth study` on a terminal: the plan, the findings, and the report in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.training.study.studies import small, write_text


def test_from_the_plan_to_the_report(tmp_path: Path, hearth: Any) -> None:
    recipe, out = tmp_path / "recipe.yaml", tmp_path / "report"
    said = small(write_text(tmp_path / "text")).model_dump(mode="json")
    recipe.write_text(yaml.safe_dump(said))

    planned = hearth("study", str(recipe), "--plan", "--quiet")
    assert planned.code == 0
    assert "14 runs, 0 of them done" in planned.out

    done = hearth("study", str(recipe), "--report", str(out))
    assert done.code == 0
    assert "is the best at equal FLOPs" in done.out
    assert "next size" in done.out
    assert "run 1 of 14" in done.err
    files = {"index.html", "findings.json", "results.parquet"}
    assert {path.name for path in out.iterdir()} == files

    again = hearth("study", str(recipe), "--json", "--quiet")
    assert again.json["slices"]["words"]["best"] in said["mixes"]
    assert again.err == ""


def test_a_recipe_that_is_missing(tmp_path: Path, hearth: Any) -> None:
    result = hearth("study", str(tmp_path / "none.yaml"))
    assert result.code == 3
    assert "There is no recipe" in result.err
