"""Adapters in and out, in the layout of the `peft` library, so that either side can use them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from openhearth.errors import CorruptArtifact, NotFound, UsageError
from openhearth.models.huggingface import open_safetensors
from openhearth.models.linear import LowRank
from openhearth.models.model import Model
from openhearth.models.names import HF, translate
from openhearth.store.artifact import file_digest

if TYPE_CHECKING:
    from openhearth.store import Artifact, Draft

WEIGHTS, SETTINGS = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."


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

    tensors = {}
    for path, pair in model.adapter(name).items():
        theirs = PREFIX + translate(path, HF[model.config.family])
        tensors[f"{theirs}.lora_A.weight"] = pair.a.detach().contiguous()
        tensors[f"{theirs}.lora_B.weight"] = pair.b.detach().contiguous()
    save_file(tensors, place(WEIGHTS), metadata={"format": "pt"})
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": config.rank,
        "lora_alpha": config.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted({t.split(".")[-3] for t in tensors}),
    }
    place(SETTINGS).write_text(json.dumps(settings, sort_keys=True))


def import_adapter(base: Artifact, path: Path) -> Artifact:
    """Make an artifact of a directory as `peft` writes it, for a model in a store.

    Raises:
        NotFound: there is no such directory, or it lacks a file.
        UsageError: it holds a kind of adapter that we do not have.
    """
    missing = [name for name in (WEIGHTS, SETTINGS) if not (path / name).is_file()]
    if missing:
        raise NotFound(f"{path} has no {' and no '.join(missing)}: give an adapter's directory.")

    def build(draft: Draft) -> None:
        for name in (WEIGHTS, SETTINGS):
            shutil.copyfile(path / name, draft.path(name))

    recipe = {"import": {name: file_digest(path / name) for name in (WEIGHTS, SETTINGS)}}
    return base.store.make("adapter", build, inputs={"base": base.digest}, recipe=recipe)


def load_adapter(model: Model, artifact: Artifact, name: str) -> None:
    """Add a stored adapter to a model, under `name`, in the model's dtype.

    Raises:
        UsageError: it was made for another model, or uses a kind of adapter that we do not have.
        CorruptArtifact: its files are damaged.
    """
    linears = dict(model.linears())
    shapes = {path: tuple(linear.weight.shape) for path, linear in linears.items()}
    pairs, scale = read_adapter(artifact, name, model.config.family, shapes)
    for path, (a, b) in pairs.items():
        low_rank = LowRank(a.to(model.dtype), b.to(model.dtype), scale)
        linears[path].adapters[name] = low_rank.requires_grad_(False)


def read_adapter(
    artifact: Artifact, name: str, family: str, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, tuple[torch.Tensor, torch.Tensor]], float]:
    """A stored adapter's A [rank, in] and B [out, rank] for the matrices of a model of this family,
    of these shapes, [out, in] by path; and by what their product is scaled.

    Raises:
        UsageError: it was made for another model, or uses a kind of adapter that we do not have.
        CorruptArtifact: its files are damaged.
    """
    settings = artifact.read_json(SETTINGS)
    if (
        settings.get("peft_type") != "LORA"
        or settings.get("use_dora")
        or settings.get("use_rslora")
    ):
        raise UsageError(f"{name} is not a plain LoRA adapter, the only kind supported yet.")
    scale = settings["lora_alpha"] / settings["r"]
    file = open_safetensors(artifact.path(WEIGHTS))
    waiting = set(file.keys())
    pairs = {}
    for path, shape in shapes.items():
        theirs = PREFIX + translate(path, HF[family])
        keys = (f"{theirs}.lora_A.weight", f"{theirs}.lora_B.weight")
        if not waiting.issuperset(keys):
            continue
        waiting.difference_update(keys)
        a, b = (file.get_tensor(key) for key in keys)
        if (b.shape[0], a.shape[1]) != shape or a.shape[0] != b.shape[1]:
            raise UsageError(f"Adapter {name} was made for a model of another size.")
        pairs[path] = a, b
    if waiting:
        raise CorruptArtifact(
            f"Adapter {name} has weights for layers that this model lacks, such as "
            f"{min(waiting)}: use it with the model that it was trained on."
        )
    return pairs, scale
