"""Two processes train as one does."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

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
ROOT = Path(__file__).parents[2]


def trained(directory: Path, size: int, kind: str) -> list[dict[str, Any]]:
    """What each process has in the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = directory / "worker.py"
    script.write_text(WORKER)
    command = [sys.executable]
    if size > 1:
        command += ["-m", "torch.distributed.run", f"--nproc-per-node={size}"]
        command += ["--master-addr=127.0.0.1", f"--master-port={port}"]
    work = directory / str(size)
    work.mkdir()
    done = subprocess.run(
        [*command, str(script), str(work), kind],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=_environment(),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [torch.load(work / f"{rank}.pt") for rank in range(size)]


def _environment() -> dict[str, str]:
    import os

    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
@pytest.mark.parametrize("kind", ["adapter", "mixtures"])
def test_two_processes_train_as_one_does(kind: str, tmp_path: Path) -> None:
    """Only the order of sums differs: gradients of micro-batches are added in pairs."""
    (one,), (two, other) = trained(tmp_path, 1, kind), trained(tmp_path, 2, kind)
    torch.testing.assert_close(two["losses"], one["losses"], atol=1e-5, rtol=0)
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-4, rtol=1e-3)
        assert torch.equal(two[name], other[name])
