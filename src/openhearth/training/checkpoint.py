"""The state of a run on disk, from which it goes on bit for bit as if nothing had happened."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes

from openhearth.errors import CorruptArtifact
from openhearth.store import write_atomically

NAME = "checkpoint.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def save(
    directory: Path,
    parameters: list[torch.nn.Parameter],
    optimizer: torch.optim.AdamW,
    losses: list[float],
) -> None:
    """Write parameters, the optimiser's moments and the losses so far, in one atomic file.

    The number of losses is the number of steps done.
    """
    tensors = {}
    for i, parameter in enumerate(parameters):
        tensors[f"{i}.value"] = parameter.detach()
        for name in MOMENTS:
            tensors[f"{i}.{name}"] = optimizer.state[parameter][name]
    write_atomically(directory / NAME, to_bytes(tensors, {"losses": json.dumps(losses)}))


def restore(
    directory: Path, parameters: list[torch.nn.Parameter], optimizer: torch.optim.AdamW
) -> list[float]:
    """Put the saved state back; return the losses so far, none if nothing was saved.

    Raises:
        CorruptArtifact: the file is damaged.
    """
    path = directory / NAME
    if not path.exists():
        return []
    try:
        file = safe_open(path, framework="pt")
        with torch.no_grad():
            for i, parameter in enumerate(parameters):
                parameter.copy_(file.get_tensor(f"{i}.value"))
                state = {name: file.get_tensor(f"{i}.{name}") for name in MOMENTS}
                optimizer.state[parameter].update(state)
        return json.loads(file.metadata()["losses"])
    except Exception as error:
        raise CorruptArtifact(
            f"The checkpoint {path} does not belong to this run ({error}): delete it to start anew."
        ) from error
