"""Long filters that a small network makes from the time: the implicit filters of Hyena.

Poli et al. 2023, arXiv:2302.10866, as in github.com/HazyResearch/safari: sines between the
matrices, and a window that fades at a rate of its own in each channel. All fp32.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from itertools import pairwise
from typing import cast

import torch
from torch import nn

from openhearth.models.mixer_config.convolution import FilterNet

SLOW, FAST, FADED = 1.5, 0.3, 0.01  # lengths of the filter in which a window fades to a hundredth
DEPTH = 3  # matrices before each of which, but the first, stand sines


class ImplicitFilter(nn.Module):
    """Filters for `width` channels, one for each of `directions`, of `config.taps` taps."""

    def __init__(self, config: FilterNet, width: int, directions: int = 1) -> None:
        super().__init__()
        self.config, self.width = config, width
        sizes = [config.features] + [config.hidden] * DEPTH
        self.nets = nn.ModuleList(
            nn.ModuleList(
                [nn.Linear(a, b) for a, b in pairwise(sizes)]
                + [nn.Linear(config.hidden, width, bias=False)]
            )
            for _ in range(directions)
        )
        self.frequency = nn.Parameter(torch.empty(config.hidden))
        self._kept: tuple[Hashable, torch.Tensor] | None = None

    def init_filter(self, generator: torch.Generator) -> None:
        """safari's beginning: matrices and biases within 1 / sqrt(inputs), one frequency."""
        with torch.no_grad():
            self.frequency.fill_(self.config.frequency)
            for layer in self._layers():
                bound = 1 / math.sqrt(layer.in_features)
                for parameter in layer.parameters():
                    parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, length: int) -> torch.Tensor:
        """The first `length` taps, or all if they are fewer: [directions, width, taps].

        Where no gradient is wanted they are computed once, until the weights change.
        """
        if torch.is_grad_enabled():
            return self._compute(min(length, self.config.taps))
        of = tuple((p.data_ptr(), 0 if p.is_inference() else p._version) for p in self.parameters())
        if self._kept is None or self._kept[0] != of:
            self._kept = of, self._compute(self.config.taps)
        return self._kept[1][..., :length]

    def _layers(self) -> list[nn.Linear]:
        return [cast(nn.Linear, layer) for net in self.nets for layer in cast(nn.ModuleList, net)]

    def _compute(self, length: int) -> torch.Tensor:
        made = []
        for net in self.nets:
            *inner, last = cast(nn.ModuleList, net)
            h = self._features()[:length]
            for layer in inner:
                h = (self.frequency * layer(h)).sin()
            made.append(last(h).T)
        return torch.stack(made) * self._window()[:, :length]

    def _features(self) -> torch.Tensor:
        """[taps, features]: the time from 0 to 1, and waves of a few frequencies."""
        taps, bands = self.config.taps, (self.config.features - 1) // 2
        turns = torch.arange(taps)[:, None] * (2 * math.pi / taps)
        angles = turns * torch.linspace(1e-4, bands - 1, bands)
        return torch.cat((torch.linspace(0, 1, taps)[:, None], angles.cos(), -angles.sin()), dim=-1)

    def _window(self) -> torch.Tensor:
        """[width, taps]."""
        rates = -math.log(FADED) * torch.linspace(1 / SLOW, 1 / FAST, self.width)
        return (-rates[:, None] * torch.linspace(0, 1, self.config.taps)).exp() + self.config.shift
