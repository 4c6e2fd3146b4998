"""Ways to make one tensor of several models' tensors of the same name, all fp32.

They are those of mergekit 0.1.5, also where papers leave something open.

A task vector is what a model differs by from the base that it was tuned from.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

ALIKE = 0.9995  # of two directions, the cosine from which on an arc is a line


def linear(tensors: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """The mean, each weighted. Wortsman et al. 2022, arXiv:2203.05482."""
    return _sum(tensors, weights) / sum(weights)


def slerp(first: torch.Tensor, second: torch.Tensor, share: float) -> torch.Tensor:
    """From the first (0) to the second (1) along the arc between their directions.

    Shoemake 1985. Where they point the same way, or one is zero, along the line.
    """
    length = first.norm() * second.norm()
    cosine = (first * second).sum() / length if length else torch.tensor(1.0)
    if cosine.abs() > ALIKE:
        return torch.lerp(first, second, share)
    angle = cosine.acos()
    parts = ((1 - share) * angle).sin() * first + (share * angle).sin() * second
    return parts / angle.sin()


def task_arithmetic(
    base: torch.Tensor, tensors: Sequence[torch.Tensor], weights: Sequence[float]
) -> torch.Tensor:
    """The base and the sum of all task vectors, each weighted. Ilharco et al., arXiv:2212.04089."""
    return base + _sum([tensor - base for tensor in tensors], weights)


def ties(
    base: torch.Tensor,
    tensors: Sequence[torch.Tensor],
    weights: Sequence[float],
    density: float,
) -> torch.Tensor:
    """Of each task vector its largest numbers, `density` of all; of those, at each place, the mean
    of the ones that have the sign of their sum. Yadav et al. 2023, arXiv:2306.01708.
    """
    return base + _elected([_largest(t - base, density) for t in tensors], weights)


def dare(
    base: torch.Tensor,
    tensors: Sequence[torch.Tensor],
    weights: Sequence[float],
    density: float,
    generator: torch.Generator,
) -> torch.Tensor:
    """Of each task vector some numbers by chance, `density` of all, scaled up to have the length
    (L1) that all had; then as in task arithmetic. Yu et al. 2023, arXiv:2311.03099, who scale by
    1 / density, which is the same on average.
    """
    kept = [_some(t - base, density, generator) for t in tensors]
    return base + _sum(kept, weights)


def _largest(task: torch.Tensor, density: float) -> torch.Tensor:
    count = max(1, int(density * task.numel()))
    kept = task.abs().flatten().topk(count).indices
    return torch.zeros_like(task).flatten().index_copy(0, kept, task.flatten()[kept]).view_as(task)


def _some(task: torch.Tensor, density: float, generator: torch.Generator) -> torch.Tensor:
    kept = task * (torch.rand(task.shape, generator=generator) < density)
    length = kept.abs().sum()
    return kept * (task.abs().sum() / length) if length else kept


def _elected(tasks: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    weighted = [weight * task for weight, task in zip(weights, tasks, strict=True)]
    sign = torch.where(_sum(tasks, weights) >= 0, 1.0, -1.0)
    agree = [(task * sign > 0).float() for task in weighted]
    share = _sum(agree, weights)
    agreed = _sum(weighted, agree)
    return agreed / torch.where(share == 0, 1.0, share)


def _sum(tensors: Sequence[torch.Tensor], weights: Sequence[float | torch.Tensor]) -> torch.Tensor:
    return sum((t * w for w, t in zip(weights, tensors, strict=True)), torch.tensor(0.0))
