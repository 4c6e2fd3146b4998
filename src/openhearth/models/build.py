"""Weights into a model, one tensor at a time, each checked for its name and shape."""

from __future__ import annotations

import torch

from openhearth.errors import CorruptArtifact
from openhearth.models.channels.mixture import Experts
from openhearth.models.channels.monarch_mlp import BlockLinear
from openhearth.models.config import ModelConfig
from openhearth.models.linear import Linear
from openhearth.models.model import Model
from openhearth.models.norm import RMSNorm
from openhearth.models.weights import Weights

# What the numbers between the layers are multiplied by. All else, such as a mixer's filters and
# decays, is small, and stays fp32.
NARROW = (Linear, BlockLinear, Experts, torch.nn.Embedding, RMSNorm, torch.nn.LayerNorm)


def build(config: ModelConfig, weights: Weights, dtype: torch.dtype, device: str = "cpu") -> Model:
    """The model with these weights on a device, its matrices, norms and embeddings in `dtype`.

    Raises:
        CorruptArtifact: a tensor is missing, damaged or of another shape than `config` says.
    """
    model = _empty(config)
    for name, empty in list(model.named_parameters()):
        tensor = weights.read(name)
        if tensor.shape != empty.shape:
            raise CorruptArtifact(
                f"The weight {name} is {_shape(tensor)} in the file, but the model's description "
                f"wants {_shape(empty)}: the two do not belong together, so import them again."
            )
        path, _, leaf = name.rpartition(".")
        module = model.get_submodule(path)
        kind = dtype if isinstance(module, NARROW) else torch.float32
        parameter = torch.nn.Parameter(tensor.to(device, kind).contiguous(), requires_grad=False)
        setattr(module, leaf, parameter)
    return model.to(device).eval()


def shapes_of(config: ModelConfig) -> dict[str, torch.Size]:
    """The shape of every weight, by its name."""
    return {name: parameter.shape for name, parameter in _empty(config).named_parameters()}


def _empty(config: ModelConfig) -> Model:
    """On the meta device nothing is allocated, so that each weight is in memory only once."""
    with torch.device("meta"):
        return Model(config)


def _shape(tensor: torch.Tensor) -> str:
    return " x ".join(map(str, tensor.shape))
