"""Convolutions by their definition, a term at a time in float64, to hold the fast ones to."""

from __future__ import annotations

import math

import torch


def weights_of(mixer: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A layer's weights by name, in float64."""
    return {name: p.detach().double() for name, p in mixer.named_parameters()}


def short_conv(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """x [length, channels] with a filter [channels, 1, k] whose last tap is that of now."""
    y = bias.expand(x.shape).clone()
    for t in range(len(x)):
        for i in range(min(weight.shape[-1], t + 1)):
            y[t] += weight[:, 0, -1 - i] * x[t - i]
    return y


def long_conv(
    x: torch.Tensor, before: torch.Tensor, after: torch.Tensor | None = None
) -> torch.Tensor:
    """x [length, channels] with `before` [taps, channels] of now and earlier, `after` of later."""
    y = torch.zeros_like(x)
    for t in range(len(x)):
        for s in range(len(x)):
            if 0 <= t - s < len(before):
                y[t] += before[t - s] * x[s]
            elif after is not None and 0 <= s - t - 1 < len(after):
                y[t] += after[s - t - 1] * x[s]
    return y


def implicit_filter(
    weights: dict[str, torch.Tensor], net: str, taps: int, width: int, shift: float
) -> torch.Tensor:
    """safari's filter [taps, width]: `net` names its matrices, `frequency` that of its sines."""
    bands = (weights[f"{net}.0.weight"].shape[1] - 1) // 2
    t = torch.linspace(0, 1, taps, dtype=torch.float64)[:, None]
    angles = 2 * math.pi / taps * torch.arange(taps, dtype=torch.float64)[:, None]
    angles = angles * torch.linspace(1e-4, bands - 1, bands, dtype=torch.float64)
    h = torch.cat((t, angles.cos(), -angles.sin()), dim=-1)
    frequency = weights[f"{net.rsplit('.nets.', 1)[0]}.frequency"]
    for layer in range(3):
        h = h @ weights[f"{net}.{layer}.weight"].T + weights[f"{net}.{layer}.bias"]
        h = (frequency * h).sin()
    h = h @ weights[f"{net}.3.weight"].T
    rates = torch.linspace(math.log(0.01) / 1.5, math.log(0.01) / 0.3, width, dtype=torch.float64)
    return h * ((-t * rates.abs()).exp() + shift)
