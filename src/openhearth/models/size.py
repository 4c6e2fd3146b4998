"""How large a model is: parameters, arithmetic for a token, and what it keeps of a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from math import prod
from typing import Any

import torch
from torch import nn

from openhearth.models.channels.mixture import Experts
from openhearth.models.channels.monarch_mlp import BlockLinear
from openhearth.models.config import Block, ModelConfig
from openhearth.models.linear import Linear
from openhearth.models.mixer_config import MixerPart
from openhearth.models.model import Model

KEPT_BYTES, STATE_BYTES = 2, 4  # of a number of keys and values, and of the other states
FLOPS_PER_STATE = 4  # a number fades, takes something up, and is read: two products, two sums


@dataclass(frozen=True)
class Size:
    """Of a layer or of several. `flops` are for one token at the end of a context, forward, and of
    the state a part grows with every token and another does not.
    """

    parameters: int = 0
    flops: int = 0
    bytes_per_token: int = 0
    bytes_per_sequence: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))


@dataclass(frozen=True)
class Layers:
    """Neighbouring blocks that are alike, from `first` to `last`, and their size together."""

    first: int
    last: int
    block: Block
    size: Size


@dataclass(frozen=True)
class ModelSize:
    """`outside` is that of embedding, head and last norm, `total` that of all."""

    context: int
    layers: list[Layers]
    outside: Size
    total: Size

    @property
    def state_bytes(self) -> int:
        """What is kept of a text as long as the context."""
        return self.total.bytes_per_token * self.context + self.total.bytes_per_sequence


def measure(config: ModelConfig, context: int | None = None) -> ModelSize:
    """The size of a model, at its full context or another. No weights are made."""
    context = context or config.context_length
    with torch.device("meta"):
        model = Model(config)
    sizes = [
        _matrices(module) + _mixing(block.mixer, config.width, context)
        for module, block in zip(model.blocks, config.blocks, strict=True)
    ]
    outside = _outside(model)
    return ModelSize(context, list(_layers(config, sizes)), outside, sum(sizes, outside))


def _layers(config: ModelConfig, sizes: list[Size]) -> Iterator[Layers]:
    numbers = range(len(config.blocks))
    for block, alike in groupby(numbers, key=lambda i: config.blocks[i]):
        group = list(alike)
        yield Layers(group[0], group[-1], block, sum((sizes[i] for i in group), Size()))


def matrix_weights(module: nn.Module) -> int:
    """The weights of a module's matrices that a token meets: of experts, those that it takes."""
    found = 0
    for part in module.modules():
        if isinstance(part, Linear | BlockLinear):
            found += part.weight.numel()
        elif isinstance(part, Experts):
            whole = sum(parameter.numel() for parameter in part.parameters())
            found += whole * part.config.active // part.config.experts
    return found


def _matrices(module: nn.Module) -> Size:
    """Two operations for each weight of a matrix."""
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return Size(parameters, 2 * matrix_weights(module))


def _mixing(mixer: MixerPart, width: int, context: int) -> Size:
    """What a mixer does beside its matrices; it says so itself, or it goes through its state."""
    numbers = sum(map(prod, mixer.state_shapes(width).values()))
    own = getattr(mixer, "flops", None)
    flops = FLOPS_PER_STATE * numbers if own is None else own(context)
    return Size(0, flops, KEPT_BYTES * mixer.numbers_per_token, STATE_BYTES * numbers)


def _outside(model: Model) -> Size:
    inside = sum(parameter.numel() for parameter in model.blocks.parameters())
    parameters = sum(parameter.numel() for parameter in model.parameters()) - inside
    return Size(parameters, 2 * model.head_weight.numel() if model.config.causal else 0)


def _values(size: Size) -> list[Any]:
    return list(asdict(size).values())
