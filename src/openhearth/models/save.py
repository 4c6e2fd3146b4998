"""Models out of memory into the store, in the form in which `load` reads them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from safetensors.torch import save_file

from openhearth.data.tokenizer import FILES
from openhearth.models.config import ModelConfig
from openhearth.models.huggingface import ADDED_TO_NORMS
from openhearth.models.names import HF, translate
from openhearth.store import Artifact, Draft


def save_model(
    config: ModelConfig, weights: Mapping[str, torch.Tensor], tokenizer: Artifact, draft: Draft
) -> None:
    """Write a model's description, its weights by our names, and the tokenizer of an artifact."""
    added, table = ADDED_TO_NORMS.get(config.family, 0.0), HF[config.family]
    tensors = {
        translate(name, table): (
            weight - added if added and name.endswith("norm.weight") else weight
        ).contiguous()
        for name, weight in weights.items()
    }
    save_file(tensors, draft.path("model.safetensors"), {"format": "pt"})
    draft.path("config.json").write_text(config.model_dump_json())
    for name in FILES:
        draft.path(name).write_bytes(tokenizer.path(name).read_bytes())
    draft.metrics["parameters"] = sum(weight.numel() for weight in weights.values())
