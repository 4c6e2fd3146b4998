"""Adapters in and out, in the layout of the `peft` library, so that either side can use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from openhearth.errors import UsageError
from openhearth.models.adapter_files import PREFIX, SETTINGS, WEIGHTS, read_adapter
from openhearth.models.linear import LowRank
from openhearth.models.model import Model
from openhearth.models.names import HF, partners, translate

if TYPE_CHECKING:
    from openhearth.store import Artifact


@dataclass(frozen=True)
class LoraConfig:
    """How big an adapter is: its rank, and alpha; what it adds is scaled by alpha / rank.

    `targets` are patterns, in the shell's way, of the matrices that get one: of their paths
    (`blocks.0.*`, `*.mixer.*`), or of the last word alone (`q`). `dropout` is for training.
    """

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ("*",)

    def wants(self, path: str) -> bool:
        """Whether the matrix at this path gets an adapter."""
        names = (path, path.rpartition(".")[2])
        return any(fnmatchcase(name, target) for name in names for target in self.targets)


def add_adapter(model: Model, name: str, config: LoraConfig, seed: int) -> list[torch.nn.Parameter]:
    """Put a fresh adapter on the matrices that `config` wants; return what there is to train.

    Raises:
        UsageError: it wants none of those that there are.
    """
    generator = torch.Generator().manual_seed(seed)
    parameters: list[torch.nn.Parameter] = []
    for path, linear in model.linears():
        if not config.wants(path):
            continue
        scale = config.alpha / config.rank
        pair = linear.new_low_rank(config.rank, scale, generator, config.dropout)
        pair.to(model.device)
        linear.adapters[name] = pair
        parameters += [pair.a, pair.b]
    if not parameters:
        words = sorted({path.rpartition(".")[2] for path, _ in model.linears()})
        raise UsageError(
            f"No matrix of the model matches {', '.join(config.targets)}: its matrices end in "
            f"{', '.join(words)}."
        )
    return parameters


def go_on_with_adapter(model: Model, name: str, artifact: Artifact, dropout: float) -> LoraConfig:
    """Put a stored adapter on a model, in fp32 and ready to be trained further; say what it is.

    Raises:
        UsageError: it was made for another model, or uses a kind of adapter that we do not have.
        CorruptArtifact: its files are damaged.
    """
    shapes = {path: tuple(linear.weight.shape) for path, linear in model.linears()}
    settings = artifact.read_json(SETTINGS)
    found = read_adapter(artifact, artifact.digest[:12], model.config.family, shapes, scaled=False)
    config = LoraConfig(settings["r"], settings["lora_alpha"], dropout, tuple(sorted(found)))
    linears = dict(model.linears())
    for path, (a, b) in found.items():
        scale = config.alpha / config.rank
        pair = LowRank(torch.tensor(a), torch.tensor(b), scale, config.dropout)
        linears[path].adapters[name] = pair.to(model.device)
    return config


def save_adapter(
    model: Model, name: str, config: LoraConfig, base: str, place: Callable[[str], Path]
) -> None:
    """Write an adapter's two files to `place(file name)`; `base` says what it was trained on."""
    from safetensors.torch import save_file

    tensors, ranks = {}, {}
    for theirs, pairs in _by_their_matrix(model, name).items():
        # Of several in one matrix, each has columns of B of its own: the rank is that of all.
        tensors[f"{PREFIX}{theirs}.lora_A.weight"] = torch.cat([a for a, _ in pairs])
        b = torch.block_diag(*[b for _, b in pairs])
        tensors[f"{PREFIX}{theirs}.lora_B.weight"] = b
        if len(pairs) > 1:
            ranks[theirs.rpartition(".")[2]] = sum(len(a) > 0 for a, _ in pairs)
    save_file(tensors, place(WEIGHTS), metadata={"format": "pt"})
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": config.rank,
        "lora_alpha": config.alpha,
        "rank_pattern": {module: config.rank * n for module, n in ranks.items()},
        "alpha_pattern": {module: config.alpha * n for module, n in ranks.items()},
        "lora_dropout": config.dropout,
        "bias": "none",
        "target_modules": _target_modules(model, name),
    }
    place(SETTINGS).write_text(json.dumps(settings, sort_keys=True))


def _by_their_matrix(model: Model, name: str) -> dict[str, list[tuple[torch.Tensor, torch.Tensor]]]:
    """A and B of all that one matrix of the family's files holds, in its order; without rank where
    there is no adapter.
    """
    pairs, linears, table = model.adapter(name), dict(model.linears()), HF[model.config.family]

    def of(part: str) -> tuple[torch.Tensor, torch.Tensor]:
        if part in pairs:
            return pairs[part].a.detach().cpu(), pairs[part].b.detach().cpu()
        outputs, inputs = linears[part].weight.shape
        return torch.zeros(0, inputs), torch.zeros(outputs, 0)

    return {translate(path, table): [of(p) for p in partners(path, table)] for path in pairs}


def _target_modules(model: Model, name: str) -> list[str]:
    """The last words of the adapted matrices, which stand for all that end so; else whole paths."""
    table = HF[model.config.family]
    every = {translate(path, table) for path, _ in model.linears()}
    adapted = {translate(path, table) for path in model.adapter(name)}
    words = {path.rpartition(".")[2] for path in adapted}
    meant = {path for path in every if path.rpartition(".")[2] in words}
    return sorted(words if meant == adapted else adapted)


def load_adapter(model: Model, artifact: Artifact, name: str) -> None:
    """Add a stored adapter to a model, under `name`, in the model's dtype.

    Raises:
        UsageError: it was made for another model, or uses a kind of adapter that we do not have.
        CorruptArtifact: its files are damaged.
    """
    linears = dict(model.linears())
    for path, pair in low_ranks(model, artifact, name).items():
        linears[path].adapters[name] = pair.to(model.device)


def low_ranks(model: Model, artifact: Artifact, name: str) -> dict[str, LowRank]:
    """A stored adapter's pairs for a model, in its dtype, by the paths of its matrices; they are
    in the processor's memory.

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
