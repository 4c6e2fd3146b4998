"""Memory is counted before it is taken, and its lack is explained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from openhearth.errors import HearthError, UsageError
from openhearth.training import memory
from tests.training.jobs import make_job, make_recipe


def test_the_estimate_grows_with_what_is_computed_at_a_time_and_with_what_trains() -> None:
    def of(**fields: object) -> int:
        return memory.needed(make_job(make_recipe(batch_tokens=4096, **fields)))

    assert of(micro_tokens=1024) < of(micro_tokens=2048) < of()
    assert of(adapter={"rank": 2}) < of(adapter={"rank": 16})
    assert of() < of(evaluation={"every": 1, "patience": 3})
    assert of(optimizer={"name": "muon"}) < of()


def test_recomputing_keeps_less_and_gives_the_same_gradients() -> None:
    plain, saving = make_job(make_recipe()), make_job(make_recipe(recompute=True))
    assert memory._saved(saving) < 0.7 * memory._saved(plain)
    from openhearth.training.items import collate

    for job in (plain, saving):
        job.model.train()
        batch = collate(job.items, job.order[0], None)
        job.recipe.objective.loss(job.model, batch).backward()
    for a, b in zip(plain.model.parameters(), saving.model.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_a_run_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(make_recipe())
    memory.check(job)
    monkeypatch.setattr(memory, "available", lambda device: 1000)
    with pytest.raises(UsageError, match=r"set micro_tokens \(now 128\) lower, or recompute: true"):
        memory.check(job)
    monkeypatch.setattr(memory, "available", lambda device: None)
    memory.check(job)


def test_an_error_of_the_allocator_says_what_to_lower() -> None:
    recipe = make_recipe(recompute=True, micro_tokens=64)
    error = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to")
    said = memory.explained(error, recipe, 10**9)
    assert isinstance(said, HearthError)
    assert "needs about 1.0 GB" in str(said)
    assert "micro_tokens (now 64) lower" in str(said)
    other = RuntimeError("shapes")
    assert memory.explained(other, recipe, 10**9) is other


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="not a Linux system")
def test_what_is_free_is_known() -> None:
    assert (memory.available(torch.device("cpu")) or 0) > 10**6
