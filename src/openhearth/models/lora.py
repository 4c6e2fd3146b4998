"""Adapters in and out, in the layout of the `peft` library, so that either side can use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from openhearth.models.adapter_files import PREFIX, SETTINGS, WEIGHTS, read_adapter
from openhearth.models.linear import LowRank
from openhearth.models.model import Model
from openhearth.models.names import HF, partners, translate

if TYPE_CHECKING:
    from openhearth.store import Artifact


@dataclass(frozen=True)
class LoraConfig:
    """How big an adapter is: its rank, and alpha; what it adds is scaled by alpha / rank."""

    rank: int = 16
    alpha: float = 32.0


def add_adapter(model: Model, name: str, config: LoraConfig, seed: int) -> list[torch.nn.Parameter]:
    """Put a fresh adapter on every matrix of the blocks; return what there is to train."""
    generator = torch.Generator().manual_seed(seed)
    parameters: list[torch.nn.Parameter] = []
    for _, linear in model.linears():
        pair = linear.new_low_rank(config.rank, config.alpha / config.rank, generator)
        linear.adapters[name] = pair
        parameters += [pair.a, pair.b]
    return parameters


def save_adapter(
    model: Model, name: str, config: LoraConfig, base: str, place: Callable[[str], Path]
) -> None:
    """Write an adapter's two files to `place(file name)`; `base` says what it was trained on."""
    from safetensors.torch import save_file

    tensors, ranks = {}, {}
    for theirs, pairs in _by_their_matrix(model, name).items():
        # Of several in one matrix, each has columns of B of its own: the rank is that of all.
        tensors[f"{PREFIX}{theirs}.lora_A.weight"] = torch.cat([pair.a.detach() for pair in pairs])
        b = torch.block_diag(*[pair.b.detach() for pair in pairs])
        tensors[f"{PREFIX}{theirs}.lora_B.weight"] = b
        if len(pairs) > 1:
            ranks[theirs.rpartition(".")[2]] = len(pairs)
    save_file(tensors, place(WEIGHTS), metadata={"format": "pt"})
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": config.rank,
        "lora_alpha": config.alpha,
        "rank_pattern": {module: config.rank * n for module, n in ranks.items()},
        "alpha_pattern": {module: config.alpha * n for module, n in ranks.items()},
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted({t.split(".")[-3] for t in tensors}),
    }
    place(SETTINGS).write_text(json.dumps(settings, sort_keys=True))


def _by_their_matrix(model: Model, name: str) -> dict[str, list[LowRank]]:
    """The pairs that belong to one matrix of the family's files, in its order."""
    pairs, table = model.adapter(name), HF[model.config.family]
    return {
        translate(path, table): [pairs[part] for part in partners(path, table)] for path in pairs
    }


def load_adapter(model: Model, artifact: Artifact, name: str) -> None:
    """Add a stored adapter to a model, under `name`, in the model's dtype.

    Raises:
        UsageError: it was made for another model, or uses a kind of adapter that we do not have.
        CorruptArtifact: its files are damaged.
    """
    linears = dict(model.linears())
    for path, pair in low_ranks(model, artifact, name).items():
        linears[path].adapters[name] = pair


def low_ranks(model: Model, artifact: Artifact, name: str) -> dict[str, LowRank]:
    """A stored adapter's pairs for a model, in its dtype, by the paths of its matrices.

    Raises:
        UsageError, CorruptArtifact: as `load_adapter`.
    """
    shapes = {path: tuple(linear.weight.shape) for path, linear in model.linears()}
    return {
        path: LowRank(_tensor(a, model), _tensor(b, model), 1.0).requires_grad_(False)
        for path, (a, b) in read_adapter(artifact, name, model.config.family, shapes).items()
    }


def _tensor(values: np.ndarray, model: Model) -> torch.Tensor:
    return torch.tensor(values, dtype=model.dtype)
