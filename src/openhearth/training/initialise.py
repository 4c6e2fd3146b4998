"""The first weights of a new model."""

from __future__ import annotations

import math

import torch
from torch import nn

from openhearth.models import Model, ModelConfig
from openhearth.models.channels.mixture import Experts
from openhearth.models.channels.monarch_mlp import BlockLinear
from openhearth.models.linear import Linear

EMBEDDED = 0.02
OUTPUTS = (".o", ".down", ".out")
"""The last matrix of a mixer: what it makes is added to the residual stream."""


def initialise(config: ModelConfig, seed: int) -> Model:
    """A model of random fp32 weights, which `seed` alone determines.

    Matrices are normal, of a size that keeps the size of what they are multiplied with; the last
    ones of mixers are smaller, by the root of how many add to the residual stream (Radford et al.
    2019). Norms begin as ones and biases as zeros. What else a mixer has it sets itself.
    """
    generator = torch.Generator().manual_seed(seed)
    model = Model(config)
    added = math.sqrt(sum(1 if b.channel is None else 2 for b in config.blocks))
    with torch.no_grad():
        for path, module in model.named_modules():
            if isinstance(module, Linear | BlockLinear):
                _matrix(module.weight, path, added, generator)
            elif isinstance(module, Experts):
                for name, matrices in module.named_parameters(path):
                    _matrix(matrices, name, added, generator)
            elif isinstance(module, nn.Embedding):
                module.weight.normal_(0, EMBEDDED, generator=generator)
            elif hasattr(module, "weight"):
                _plain(module.weight, generator)
            if getattr(module, "bias", None) is not None:
                module.bias.zero_()
            for name in sorted(n for n in dir(module) if n.startswith("init_")):
                getattr(module, name)(generator)
    return model


def _matrix(weight: torch.Tensor, path: str, added: float, generator: torch.Generator) -> None:
    """A matrix [out, in], or several of them [n, out, in]."""
    size = 1 / math.sqrt(weight.shape[-1])
    weight.normal_(0, size / added if path.endswith(OUTPUTS) else size, generator=generator)


def _plain(weight: torch.Tensor, generator: torch.Generator) -> None:
    """A norm's weight, or the filter of a short convolution [channels, 1, k] as torch begins it."""
    if weight.dim() == 1:
        weight.fill_(1.0)
    else:
        bound = 1 / math.sqrt(weight[0].numel())
        weight.uniform_(-bound, bound, generator=generator)
