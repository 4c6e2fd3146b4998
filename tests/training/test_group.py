"""Two processes train as one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from openhearth.training.group import Group
from tests.training.processes import run_together

WORKER = """
import sys, torch
from pathlib import Path
from openhearth.training.group import Group
from openhearth.training.loop import train
from tests.training.jobs import CONFIG, MIXTURES, make_job, make_recipe

group = Group.join()
config, adapter = {
    "adapter": (CONFIG, {"rank": 4, "dropout": 0.1}),
    "mixtures": (MIXTURES, None),
}[sys.argv[2]]
job = make_job(make_recipe(micro_tokens=48, epochs=1, adapter=adapter), config=config)
run = train(job, Path(sys.argv[1]) / "work", group=group)
found = job.weights.tensors() | {"losses": torch.tensor([s.loss for s in run.steps])}
torch.save(found, Path(sys.argv[1]) / f"{group.rank}.pt")
"""


def trained(directory: Path, size: int, kind: str) -> list[dict[str, Any]]:
    """What each process has in the end."""
    script = directory / "worker.py"
    script.write_text(WORKER)
    work = directory / str(size)
    work.mkdir()
    run_together(size, str(script), str(work), kind)
    return [torch.load(work / f"{rank}.pt") for rank in range(size)]


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
@pytest.mark.parametrize("kind", ["adapter", "mixtures"])
def test_two_processes_train_as_one_does(kind: str, tmp_path: Path) -> None:
    """Only the order of sums differs: gradients of micro-batches are added in pairs."""
    (one,), (two, other) = trained(tmp_path, 1, kind), trained(tmp_path, 2, kind)
    torch.testing.assert_close(two["losses"], one["losses"], atol=1e-5, rtol=0)
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-4, rtol=1e-3)
        assert torch.equal(two[name], other[name])


@given(parts=st.integers(0, 20), size=st.integers(1, 6))
def test_those_whose_share_of_a_step_is_smaller_know_it(parts: int, size: int) -> None:
    group = [Group(rank, size) for rank in range(size)]
    shares = [process.share(range(parts)) for process in group]
    assert sorted(part for own in shares for part in own) == list(range(parts))
    most = max(map(len, shares))
    assert [process.lacks(parts) for process in group] == [len(own) < most for own in shares]
