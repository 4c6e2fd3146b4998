"""What tells a sequence's tokens from one state: MAD's decoder for its compression task."""

from __future__ import annotations

import math

import torch
from torch import nn

SLOWEST = 10_000.0  # the ratio of the frequencies of the places' sines


class Decoder(nn.Module):
    """States [count, width] -> logits [count, length, vocabulary], by a small network that sees a
    state together with a place, of which it is told by sines (mad/model/auto_encoder.py).
    """

    places: torch.Tensor

    def __init__(self, width: int, vocabulary: int, length: int, seed: int) -> None:
        super().__init__()
        self.register_buffer("places", sines(length, width))
        self.layers = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.GELU(),
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.GELU(),
            nn.LayerNorm(width),
            nn.Linear(width, vocabulary),
        )
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for layer in self.layers:
                if isinstance(layer, nn.Linear):
                    layer.weight.normal_(0, 1 / math.sqrt(layer.in_features), generator=generator)
                    layer.bias.zero_()

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.layers(states[:, None] + self.places)


def sines(length: int, width: int) -> torch.Tensor:
    """[length, width], half sines and half cosines of the place (Vaswani et al. 2017)."""
    half = (width + 1) // 2
    turns = SLOWEST ** -(torch.arange(half) / max(1, half - 1))
    angles = torch.arange(length)[:, None] * turns
    return torch.cat((angles.sin(), angles.cos()), dim=1)[:, :width]
