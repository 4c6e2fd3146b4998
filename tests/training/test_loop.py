"""The loop: it learns, adds up to the same however a step is cut, and goes on where it was."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from openhearth.errors import HearthError, UsageError
from openhearth.models import ModelConfig
from openhearth.training import TrainRecipe
from openhearth.training.checkpoint import Checkpoints
from openhearth.training.loop import Job, train
from openhearth.training.recipe import Evaluation
from openhearth.training.run import Run, Step
from openhearth.training.stages import evenly
from tests.training.jobs import CONFIG, MIXTURES, make_job, make_recipe
from tests.training.sources import examples, rows

ADAPTER = {"rank": 4, "alpha": 8, "dropout": 0.2}
KINDS: dict[str, dict[str, Any]] = {
    "whole": {},
    "muon": {"optimizer": {"name": "muon", "learning_rate": 0.01, "weight_decay": 0.1}},
    "narrow": {"dtype": "bfloat16"},
    "accumulated": {"micro_tokens": 48},
    "dropout": {"adapter": ADAPTER, "micro_tokens": 64},
    "dora": {"adapter": ADAPTER | {"dora": True}},
    "watched": {"evaluation": {"every": 3, "patience": 50}},
    "mixtures": {"micro_tokens": 48},
    "recomputed mixtures": {"recompute": True},
    "narrow head with biases and a cap": {"dtype": "bfloat16"},
}
CONFIGS = {
    "mixtures": MIXTURES,
    "recomputed mixtures": MIXTURES,
    "narrow head with biases and a cap": CONFIG.model_copy(
        update={"tied_head": False, "head_bias": True, "logit_cap": 5.0}
    ),
}


class Stopped(Exception):
    """What stops a run from outside."""


def stop_at(step: int) -> Any:
    def progress(stage: str, done: float, total: float | None, note: str = "") -> None:
        if done == step:
            raise Stopped

    return progress


def job(recipe: TrainRecipe, config: ModelConfig = CONFIG) -> Job:
    return make_job(recipe, heldout=examples([30] * 4, seed=9), config=config)


def result(job: Job, run: Run) -> dict[str, torch.Tensor]:
    history = torch.tensor(run.steps, dtype=torch.float64)
    return {n: t.clone() for n, t in job.weights.tensors().items()} | {"history": history}


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_run_goes_on_to_the_same_bits(kind: str, tmp_path: Path) -> None:
    recipe = make_recipe(**KINDS[kind])
    config = CONFIGS.get(kind, CONFIG)
    whole = job(recipe, config)
    expected = result(whole, train(whole, tmp_path / "whole"))
    assert len(expected["history"]) == 20
    for stop in (4, 9, 10):  # each time from the checkpoint of step 5, or anew
        with pytest.raises(Stopped):
            train(job(recipe, config), tmp_path / "broken", stop_at(stop))
    resumed = job(recipe, config)
    found = result(resumed, train(resumed, tmp_path / "broken"))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("fields", [{}, {"adapter": ADAPTER | {"dropout": 0}}])
def test_the_loss_falls(fields: dict[str, Any], tmp_path: Path) -> None:
    one = examples([30] * 2)  # two examples, to be learnt by heart
    recipe = make_recipe(epochs=150, optimizer={"learning_rate": 0.03}, **fields)
    run = train(make_job(recipe, one), tmp_path)
    assert run.steps[0].loss == pytest.approx(math.log(64), rel=0.2)
    # The head of a random model says little, whatever an adapter does before it.
    assert run.steps[-1].loss < (0.05 if not fields else 4.0)


def test_a_step_in_pieces_is_the_step_in_one(tmp_path: Path) -> None:
    whole, pieces = (
        train(job(make_recipe(micro_tokens=micro)), tmp_path / str(micro)).steps
        for micro in (None, 48)
    )
    assert pieces[0].loss == pytest.approx(whole[0].loss, rel=1e-6)
    assert pieces[0].norm == pytest.approx(whole[0].norm, rel=1e-5)
    for one, other in zip(pieces, whole, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-2)
        assert one.tokens == other.tokens


def test_narrow_weights_follow_fp32_masters(tmp_path: Path) -> None:
    made = job(make_recipe(dtype="bfloat16"))
    wide = job(make_recipe())
    run, other = train(made, tmp_path / "narrow"), train(wide, tmp_path / "wide")
    assert made.model.dtype == torch.bfloat16
    assert {t.dtype for t in made.weights.masters.values()} == {torch.float32}
    for name, parameter in made.model.named_parameters():
        assert torch.equal(parameter, made.weights.masters[name].to(parameter.dtype))
    assert run.steps[-1].loss == pytest.approx(other.steps[-1].loss, rel=0.02)


def test_text_in_rows_trains_too(tmp_path: Path) -> None:
    recipe = make_recipe(objective={"name": "next_token"}, batch_tokens=64, epochs=3)
    made = make_job(recipe, rows([7, 30, 11, 52, 60], 32))
    run = train(made, tmp_path)
    assert sum(step.tokens for step in run.steps) == 3 * 160
    assert run.steps[-1].loss < run.steps[0].loss


def test_a_loss_that_is_no_number_stops_the_run_with_the_weights_before_it(
    tmp_path: Path,
) -> None:
    made = job(make_recipe())
    real, calls = made.recipe.objective.loss, iter(range(100))
    poisoned = type(made.recipe.objective).model_construct()

    def loss(model: Any, batch: Any) -> torch.Tensor:
        return real(model, batch) * (float("nan") if next(calls) == 7 else 1.0)

    object.__setattr__(poisoned, "loss", loss)
    recipe = made.recipe.model_copy(update={"objective": poisoned})
    with pytest.raises(HearthError, match="loss is nan at step 8"):
        train(Job(recipe, *list(vars(made).values())[1:]), tmp_path)
    kept = Checkpoints(tmp_path / "checkpoints").newest()
    assert kept is not None
    assert kept.step == 7
    assert all(t.isfinite().all() for t in kept.tensors.values())


def test_a_loss_that_explodes_is_said() -> None:
    run = Run()
    for _ in range(12):
        run.add(Step(2.0, 10, 1.0, 1.0), 0.1)
    for _ in range(9):
        assert run.wrong(9.0, 1.0) is None
        run.add(Step(9.0, 10, 1.0, 1.0), 0.1)
    wrong = run.wrong(9.0, 1.0)
    assert wrong is not None
    assert "began at 2 and has been above 9 for 10 steps" in wrong
    assert "gradient's norm is inf" in (run.wrong(1.0, math.inf) or "")


def test_a_run_ends_early_with_its_best_weights(tmp_path: Path) -> None:
    """Learnt by heart, the held-out loss of random tokens only gets worse after a while."""
    recipe = make_recipe(
        epochs=200,
        optimizer={"learning_rate": 0.03},
        evaluation={"every": 2, "patience": 3},
    )
    made = make_job(recipe, examples([30] * 3), heldout=examples([30] * 4, seed=9))
    run = train(made, tmp_path)
    assert len(run.steps) < len(made.order)
    losses = [e["loss"] for e in run.evaluations]
    assert losses.index(min(losses)) == len(losses) - 4
    again = made.evaluator.measure(made.model)
    assert again["loss"] == pytest.approx(min(losses))


def over(losses: list[float], **evaluation: float) -> int | None:
    """How many evaluations a run has when it ends."""
    run, recipe = Run(), Evaluation(every=1, **evaluation)
    for number, loss in enumerate(losses, 1):
        run.judge({"loss": loss}, {}, keep=False)
        if run.is_over(recipe):
            return number
    return None


def test_patience_counts_what_brings_too_little() -> None:
    falling = [3.0, 2.9, 2.8, 2.7, 2.6, 2.5]
    assert over(falling) is None
    assert over(falling, patience=2) is None
    assert over([3.0, 3.1, 3.2, 1.0], patience=2) == 3
    assert over([3.0, 3.1, 2.0, 2.1, 2.1], patience=2) == 5
    assert over(falling, patience=2, min_delta=0.15) is None  # every second one is a best
    assert over(falling, patience=2, min_delta=1.0) == 3
    assert over(falling, patience=2, min_delta=1.0, grace=2) == 5


def test_a_run_is_measured_so_many_times(tmp_path: Path) -> None:
    made = make_job(make_recipe(evaluation={"times": 3}), heldout=examples([9] * 4, seed=9))
    train(made, tmp_path)
    again = train(made, tmp_path)
    assert {e["step"] for e in again.evaluations} == evenly(3, len(made.order))
    with pytest.raises(UsageError, match="not both"):
        make_recipe(evaluation={"times": 3, "every": 2})


def test_bits_per_byte_count_the_bytes_of_what_counts(tmp_path: Path) -> None:
    made = job(make_recipe(evaluation={"every": 1000}))
    run = train(made, tmp_path)
    (last,) = run.evaluations
    assert last["step"] == len(run.steps)
    # In this tokenizer every token is a byte.
    assert last["bits_per_byte"] == pytest.approx(last["loss"] / math.log(2))


def test_the_norm_is_clipped_but_told_as_it_was(tmp_path: Path) -> None:
    loose, tight = (job(make_recipe(clip=clip, tokens=100)) for clip in (0, 0.01))
    norms = [train(made, tmp_path / str(i)).steps[0].norm for i, made in enumerate((loose, tight))]
    assert norms[0] == norms[1] > 0.01
