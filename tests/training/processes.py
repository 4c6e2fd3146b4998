"""Real processes, several of them as `torchrun` starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_together(size: int, *command: str) -> None:
    """Run a script, or `-m` and a module, with its arguments in so many processes of one group."""
    launcher = []
    if size > 1:
        launcher = ["-m", "torch.distributed.run", f"--nproc-per-node={size}"]
        launcher += ["--master-addr=127.0.0.1", f"--master-port={_free_port()}"]
    done = subprocess.run(
        [sys.executable, *launcher, *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=_environment(),
    )
    assert done.returncode == 0, done.stderr[-3000:]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _environment() -> dict[str, str]:
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",  # there may be fewer GPUs than processes
    }
