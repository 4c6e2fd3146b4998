"""Random adapters in `peft`'s layout, as `--adapter NAME=PATH` takes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from openhearth.models import LoraConfig, add_adapter, load_model, save_adapter
from openhearth.store import Artifact

SIZE = 0.01  # of B's numbers: some change, but no nonsense


@dataclass(frozen=True)
class Kind:
    """Adapters of one rank, for matrices whose names end so."""

    name: str
    rank: int
    ends: tuple[str, ...]


KINDS = (
    Kind("of rank 8 on q and v, as peft makes them", 8, (".q", ".v")),
    Kind("of rank 16 on all matrices", 16, ("",)),
)


def write_adapters(base: Artifact, folder: Path, number: int, kind: Kind) -> list[Path]:
    """As many folders, each with an adapter for a model."""
    model, config = load_model(base), LoraConfig(rank=kind.rank)
    paths = []
    for seed in range(number):
        name = f"adapter-{seed}"
        pairs = add_adapter(model, name, config, seed)
        generator = torch.Generator().manual_seed(seed)
        for b in pairs[1::2]:
            b.data.normal_(std=SIZE, generator=generator)
        path = folder / name
        for matrix, linear in model.linears():
            if not matrix.endswith(kind.ends):
                del linear.adapters[name]
        path.mkdir(parents=True)
        save_adapter(model, name, config, base.digest, path.joinpath)
        paths.append(path)
        for _, linear in model.linears():
            linear.adapters.pop(name, None)
    return paths
