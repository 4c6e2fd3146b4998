"""Weights of moments of a run, evenly spread over it: they become versions beside its result.

They are on disk before the first checkpoint that knows of their step, so a run that goes on from
one finds those of all steps before it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

STAGES = "stages"  # the directory, within that of the work
SUFFIX = ".safetensors"


def evenly(times: int, steps: int) -> set[int]:
    """The steps of a run, from 1, after which something is done that is done `times` times in all.

    The last is one of them. Of fewer steps than times it is each.
    """
    return {-(-steps * k // times) for k in range(1, times + 1)}


class Stages:
    """Those before the end of a run of so many steps, in its directory for work."""

    def __init__(self, work: Path, count: int, steps: int) -> None:
        self._directory = work / STAGES
        self._wanted = evenly(count, steps) - {steps}

    def wants(self, step: int) -> bool:
        """Whether the weights after so many steps are to be kept."""
        return step in self._wanted

    def keep(self, step: int, weights: Mapping[str, torch.Tensor]) -> None:
        """Write the weights after `step` steps."""
        self._directory.mkdir(parents=True, exist_ok=True)
        temporary = self._directory / f".new-{step}"
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, self._directory / f"{step:08}{SUFFIX}")


def kept(directory: Path) -> Iterator[tuple[int, dict[str, torch.Tensor]]]:
    """The steps that are in a directory, and the weights after each."""
    for path in sorted(directory.glob(f"[0-9]*{SUFFIX}")):
        yield int(path.name.removesuffix(SUFFIX)), load_file(path)
