"""Random adapters in `peft`'s layout, as `--adapter NAME=PATH` takes them."""

from __future__ import annotations

from pathlib import Path

import torch

from openhearth.models import LoraConfig, add_adapter, load_model, save_adapter
from openhearth.store import Artifact

CONFIG = LoraConfig(rank=16)
SIZE = 0.01  # of B's numbers: some change, but no nonsense


def write_adapters(base: Artifact, folder: Path, number: int) -> list[Path]:
    """As many folders, each with an adapter for every matrix of the blocks of a model."""
    model = load_model(base)
    paths = []
    for seed in range(number):
        name = f"adapter-{seed}"
        pairs = add_adapter(model, name, CONFIG, seed)
        generator = torch.Generator().manual_seed(seed)
        for b in pairs[1::2]:
            b.data.normal_(std=SIZE, generator=generator)
        path = folder / name
        path.mkdir(parents=True)
        save_adapter(model, name, CONFIG, base.digest, path.joinpath)
        paths.append(path)
        for _, linear in model.linears():
            del linear.adapters[name]
    return paths
