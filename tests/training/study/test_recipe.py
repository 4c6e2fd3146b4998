"""Recipes of studies: what is refused, and the one that ships."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openhearth.errors import NotFound, UsageError
from openhearth.training.study import StudyRecipe
from openhearth.training.study.grid import next_runs, sweep
from openhearth.training.study.mixes import Size, model_of
from tests.training.study.studies import small

LAYERS = Path(__file__).parents[3] / "recipes/study/layers.yaml"
HERE = Path(".")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"flops": []}, "say how much a run costs"),
        ({"flops": [1e7, 2e7]}, "determine no scaling law"),
        ({"sizes": [{"width": 8, "depth": 1}] * 1, "flops": [1e7] * 6}, "determine no scaling law"),
        ({"batch_tokens": 16}, "batch_tokens must be at least the context"),
        ({"mixes": {"x": "[attention"}}, "the mix `x` is wrong"),
        ({"probes": {"tasks": ["chess"]}}, "chess"),
        ({"color": "red"}, "there is no such field"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: Any, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        small(HERE, **fields)


def test_a_file_that_is_missing_or_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        StudyRecipe.load(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(UsageError, match="is not YAML"):
        StudyRecipe.load(tmp_path / "bad.yaml")


def test_every_combination_is_a_run_of_its_budget() -> None:
    runs = sweep(small(HERE, tokens=[4096]), 257)
    assert len(runs) == 2 * 2 * 4
    assert [run.flops for run in runs] == sorted(run.flops for run in runs)
    for run in runs:
        assert run.tokens % 128 == 0
        if run.budget is None:
            assert run.tokens == 4096
        else:
            step = 128 * run.flops_per_token
            assert run.budget - step < run.flops <= run.budget


def test_a_budget_without_a_single_step_is_refused() -> None:
    with pytest.raises(UsageError, match="no whole step"):
        sweep(small(HERE, flops=[1e4, 1e7, 2e7]), 257)


def test_a_mix_is_the_same_at_all_depths() -> None:
    with pytest.raises(UsageError, match="no multiple of the 2 blocks"):
        model_of("m", "[mamba, attention]", Size(width=8, depth=3), vocabulary=9, context=16)
    config = model_of("m", "[mamba, attention]", Size(width=8, depth=4), vocabulary=9, context=16)
    assert [b.mixer.name for b in config.blocks] == ["mamba", "attention"] * 2


def test_tasks_of_probes_are_mads_where_nothing_else_is_said() -> None:
    task = {"name": "noisy_recall", "noise": 0.4}
    recipe = small(HERE, probes={"tasks": ["memorisation", task, "mqar"]})
    assert recipe.probes is not None
    memorisation, noisy, mqar = (p.model_dump() for p in recipe.probes.tasks)
    assert memorisation["train"] == 256
    assert (noisy["noise"], noisy["vocabulary"]) == (0.4, 32)
    assert mqar["vocabulary"] == 8192


def test_the_recipe_that_ships() -> None:
    recipe = StudyRecipe.load(LAYERS)
    assert len(recipe.mixes) == 4
    runs = sweep(recipe, 257)
    beyond = next_runs(recipe, 257)
    assert len(runs) == 4 * len(recipe.sizes) * len(recipe.flops)
    assert len(beyond) == 4
    for mix in recipe.mixes:
        largest = max(run.parameters for run in runs if run.mix == mix)
        following = next(run for run in beyond if run.mix == mix)
        assert largest < following.parameters < 2_500_000
        assert min(run.parameters for run in runs if run.mix == mix) < 200_000
        assert following.flops > max(run.flops for run in runs if run.mix == mix)
