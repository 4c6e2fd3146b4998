"""The biases from which state spaces and delta rules begin to learn how large their steps are."""

from __future__ import annotations

import math

import torch


def steps_between(
    least: float, most: float, count: int, generator: torch.Generator
) -> torch.Tensor:
    """[count] biases whose softplus is between `least` and `most`, evenly in the logarithm."""
    low, high = math.log(least), math.log(most)
    steps = (torch.rand(count, generator=generator) * (high - low) + low).exp()
    return steps + (-(-steps).expm1()).log()  # the inverse of softplus
