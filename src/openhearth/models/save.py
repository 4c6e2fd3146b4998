"""Models out of memory into the store, in the form in which `load` reads them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from openhearth.data.tokenizer import FILES
from openhearth.models.config import ModelConfig
from openhearth.models.export import tensors_of, write_shards
from openhearth.models.weights import Weights
from openhearth.store import Artifact, Draft


class Held(Weights):
    """Weights that are in memory, by our names."""

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        self._tensors = tensors

    def read(self, name: str) -> torch.Tensor:
        return self._tensors[name].detach()

    def values(self, name: str) -> np.ndarray:
        return self.read(name).float().numpy()


def save_model(
    config: ModelConfig, weights: Mapping[str, torch.Tensor], tokenizer: Artifact, draft: Draft
) -> None:
    """Write a model's description, its weights by our names, and the tokenizer of an artifact."""
    path = draft.path("config.json")
    path.write_text(config.model_dump_json())
    write_shards(path.parent, tensors_of(config, Held(weights), None))
    for name in FILES:
        draft.path(name).write_bytes(tokenizer.path(name).read_bytes())
    draft.metrics["parameters"] = sum(weight.numel() for weight in weights.values())
