"""Versions kept on the way of a run: when, what they are, and after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from openhearth.models import load_adapter, load_model
from openhearth.store import Store
from openhearth.training import carry_out
from openhearth.training.loop import train
from openhearth.training.stages import Stages, evenly, kept
from tests.training.jobs import make_job, make_recipe
from tests.training.test_train import recipe


@given(times=st.integers(1, 40), steps=st.integers(1, 400))
def test_moments_are_spread_evenly_to_the_end(times: int, steps: int) -> None:
    found = sorted(evenly(times, steps))
    assert len(found) == min(times, steps)
    assert found[-1] == steps
    gaps = [b - a for a, b in zip([0, *found], found, strict=False)]
    assert max(gaps) - min(gaps) <= 1


def test_only_what_is_wanted_is_kept(tmp_path: Path) -> None:
    stages = Stages(tmp_path, 3, 9)
    for step in range(1, 10):
        if stages.wants(step):
            stages.keep(step, {"w": torch.full((2,), float(step))})
    assert [(step, found["w"][0].item()) for step, found in kept(tmp_path / "stages")] == [
        (3, 3.0),
        (6, 6.0),
    ]


def test_what_is_kept_are_the_weights_of_a_run_that_ended_there(tmp_path: Path) -> None:
    """With a constant rate a shorter run is the beginning of a longer one."""
    constant = {"schedule": {"kind": "constant", "warm_up": 0}}
    whole = make_job(make_recipe(stages=2, **constant))
    train(whole, tmp_path / "whole")
    ((middle, weights),) = kept(tmp_path / "whole/stages")
    half = make_job(make_recipe(**constant))
    half.order[middle:] = []
    train(half, tmp_path / "half")
    for name, value in half.weights.tensors().items():
        assert torch.equal(value, weights[name]), name


def test_stages_are_versions_of_their_own(store: Store, tmp_path: Path) -> None:
    made = carry_out(store, recipe(data="numbers", epochs=2, stages=3, name="me/bot"))
    stages = made.manifest.metrics["stages"]
    total = made.manifest.metrics["steps"]
    assert {int(step) for step in stages} == evenly(3, total) - {total}
    model = load_model(store.get("tiny"), "float32")
    losses = []
    for step, digest in stages.items():
        stage = store.get(f"me/bot:1-step-{step}")
        assert stage.digest == digest
        assert stage.kind == "adapter"
        assert stage.manifest.license == made.manifest.license
        assert stage.manifest.inputs == made.manifest.inputs
        assert stage.manifest.metrics["steps"] == int(step)
        load_adapter(model, stage, step)
        losses.append(stage.manifest.metrics["loss"])
    assert losses == [made.read_json("history.json")[int(step) - 1]["loss"] for step in stages]
    assert not list(store.root.glob("work/*/*"))


def test_a_run_that_went_on_has_the_same_stages(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(stage: str, done: float, total: float | None, note: str = "") -> None:
        if done == 7:
            raise Stopped

    made = make_recipe(stages=5, checkpoint_steps=2)
    train(make_job(made), tmp_path / "whole")
    with pytest.raises(Stopped):
        train(make_job(made), tmp_path / "stopped", stop)
    train(make_job(made), tmp_path / "stopped")
    whole, stopped = (dict(kept(tmp_path / name / "stages")) for name in ("whole", "stopped"))
    assert list(whole) == list(stopped)
    assert len(whole) == 4
    for step, weights in whole.items():
        assert all(torch.equal(value, stopped[step][name]) for name, value in weights.items())
