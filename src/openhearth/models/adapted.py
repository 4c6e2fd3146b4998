"""Weights with an adapter's product added, as one would read them from a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from openhearth.models.adapter_files import Pair, read_adapter
from openhearth.models.config import ModelConfig
from openhearth.models.model import Model
from openhearth.models.stored import base_of, open_model
from openhearth.models.weights import Weights

if TYPE_CHECKING:
    from openhearth.store import Artifact


class AdaptedWeights(Weights):
    """W + B A for the matrices of `pairs`, scaled already, by path, and of DoRA with rows of its
    lengths; all else as in `weights`.
    """

    def __init__(self, weights: Weights, pairs: Mapping[str, Pair]) -> None:
        self._weights, self._pairs = weights, pairs

    def values(self, name: str) -> np.ndarray:
        values, pair = self._weights.values(name), self._pair(name)
        if pair is None:
            return values
        summed = values + pair.b @ pair.a
        if pair.magnitude is not None:
            summed *= (pair.magnitude / np.linalg.norm(summed, axis=1))[:, None]
        return summed

    def read(self, name: str) -> torch.Tensor:
        """In the type of the file, to which a sum in fp32 is rounded."""
        tensor = self._weights.read(name)
        if self._pair(name) is None:
            return tensor
        return torch.from_numpy(self.values(name)).to(tensor.dtype)

    def _pair(self, name: str) -> Pair | None:
        return self._pairs.get(name.removesuffix(".weight"))


def open_adapted(artifact: Artifact) -> tuple[ModelConfig, Weights]:
    """A model's description and weights, those of an adapter with it merged into its base.

    Raises:
        UsageError: it is neither, or the adapter is of a kind that we do not have.
        CorruptArtifact: its files are damaged.
    """
    config, weights = open_model(base_of(artifact))
    if artifact.kind == "model":
        return config, weights
    with torch.device("meta"):
        model = Model(config)
    shapes = {path: tuple(linear.weight.shape) for path, linear in model.linears()}
    pairs = read_adapter(artifact, artifact.digest[:12], config.names, shapes)
    return config, AdaptedWeights(weights, pairs)
