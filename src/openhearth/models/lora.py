"""Adapters in and out, in the layout of the `peft` library, so that either side can use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from openhearth.errors import UsageError
from openhearth.models.adapter_files import (
    LEAVES,
    MAGNITUDE,
    PREFIX,
    SETTINGS,
    WEIGHTS,
    Pair,
    read_adapter,
)
from openhearth.models.linear import LowRank
from openhearth.models.model import Model
from openhearth.models.names import partners, translate

if TYPE_CHECKING:
    from openhearth.store import Artifact


@dataclass(frozen=True)
class LoraConfig:
    """How big an adapter is: its rank, and alpha; what it adds is scaled by alpha / rank.

    `targets` are patterns, in the shell's way, of the matrices that get one: of their paths
    (`blocks.0.*`, `*.mixer.*`), or of the last word alone (`q`), in our words or in those of the
    model's family (`q_proj`). `dropout` is for training. With `dora` the lengths of the matrices'
    rows train too (arXiv:2402.09353).
    """

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ("*",)
    dora: bool = False

    def wants(self, *paths: str) -> bool:
        """Whether the matrix that is called by one of these paths gets an adapter."""
        names = {name for path in paths for name in (path, path.rpartition(".")[2])}
        return any(fnmatchcase(name, target) for name in names for target in self.targets)


def add_adapter(model: Model, name: str, config: LoraConfig, seed: int) -> list[torch.nn.Parameter]:
    """Put a fresh adapter on the matrices that `config` wants; return what there is to train.

    Raises:
        UsageError: it wants none of those that there are.
    """
    generator = torch.Generator().manual_seed(seed)
    parameters: list[torch.nn.Parameter] = []
    for path, linear in model.linears():
        if not config.wants(path, translate(path, model.config.names)):
            continue
        scale = config.alpha / config.rank
        pair = linear.new_low_rank(config.rank, scale, generator, config.dropout, dora=config.dora)
        pair.to(model.device)
        linear.adapters[name] = pair
        parameters += pair.parameters()
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
    found = read_adapter(artifact, artifact.digest[:12], model.config.names, shapes, scaled=False)
    config = LoraConfig(
        settings["r"],
        settings["lora_alpha"],
        dropout,
        tuple(sorted(found)),
        dora=bool(settings.get("use_dora")),
    )
    linears = dict(model.linears())
    for path, pair in found.items():
        scale = config.alpha / config.rank
        low_rank = _low_rank(pair, torch.float32, scale, dropout)
        linears[path].adapters[name] = low_rank.to(model.device)
    return config


def save_adapter(
    model: Model, name: str, config: LoraConfig, base: str, place: Callable[[str], Path]
) -> None:
    """Write an adapter's two files to `place(file name)`; `base` says what it was trained on."""
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    ranks: dict[str, int] = {}
    for theirs, pairs in _by_their_matrix(model, name, dora=config.dora).items():
        # Of several in one matrix, each has columns of B of its own: the rank is that of all.
        joined = {
            LEAVES[0]: torch.cat([pair.a for pair in pairs]),
            LEAVES[1]: torch.block_diag(*[pair.b for pair in pairs]),
        }
        lengths = tuple(pair.magnitude for pair in pairs if pair.magnitude is not None)
        if lengths:
            joined[MAGNITUDE] = torch.cat(lengths)
        tensors |= {f"{PREFIX}{theirs}.{leaf}": t.detach().cpu() for leaf, t in joined.items()}
        if len(pairs) > 1:
            ranks[theirs.rpartition(".")[2]] = sum(len(pair.a) > 0 for pair in pairs)
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
        "use_dora": config.dora,
        "bias": "none",
        "target_modules": _target_modules(model, name),
    }
    place(SETTINGS).write_text(json.dumps(settings, sort_keys=True))


def _by_their_matrix(model: Model, name: str, *, dora: bool) -> dict[str, list[LowRank]]:
    """The pairs of all that one matrix of the family's files holds, in its order; without rank
    where there is no adapter.
    """
    pairs, linears, table = model.adapter(name), dict(model.linears()), model.config.names

    def of(part: str) -> LowRank:
        if part in pairs:
            return pairs[part]
        none = linears[part].new_low_rank(0, 1.0, torch.Generator(), dora=dora)
        return none.to(model.device)

    return {translate(path, table): [of(p) for p in partners(path, table)] for path in pairs}


def _target_modules(model: Model, name: str) -> list[str]:
    """The last words of the adapted matrices, which stand for all that end so; else whole paths."""
    table = model.config.names
    every = {translate(path, table) for path, _ in model.linears()}
    adapted = {translate(path, table) for path in model.adapter(name)}
    words = {path.rpartition(".")[2] for path in adapted}
    meant = {path for path in every if path.rpartition(".")[2] in words}
    return sorted(words if meant == adapted else adapted)


def load_adapter(model: Model, artifact: Artifact, name: str) -> None:
    """Add a stored adapter to a model, under `name`, in the model's dtype and where it is.

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
    weights = {path: linear.weight for path, linear in model.linears()}
    shapes = {path: tuple(weight.shape) for path, weight in weights.items()}
    return {
        path: _low_rank(pair, model.dtype, 1.0).frozen(weights[path])
        for path, pair in read_adapter(artifact, name, model.config.names, shapes).items()
    }


def _low_rank(pair: Pair, dtype: torch.dtype, scale: float, dropout: float = 0.0) -> LowRank:
    a, b = (torch.tensor(values, dtype=dtype) for values in (pair.a, pair.b))
    lengths = None if pair.magnitude is None else torch.tensor(pair.magnitude)
    return LowRank(a, b, scale, dropout, lengths)
