"""Muon: momentum whose singular values are all made about one, for matrices.

Jordan et al. 2024 (kellerjordan.github.io/posts/muon). The orthogonal factor comes of five steps of
a quintic Newton-Schulz iteration; matrices of one shape are computed together. `torch.optim.Muon`
does the same one matrix at a time and always in bfloat16, which many processors only emulate. Of a
matrix that is shared out every process computes the whole update, and takes its share.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch

from openhearth.training.shares import like, whole

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5
SMALLEST_NORM = 1e-7


class Muon(torch.optim.Optimizer):
    """An update is lr * scale * orthogonal(gradient + momentum * buffer), with decoupled decay.

    `scale` is 0.2 * sqrt(longer side), which gives an update the size of AdamW's (Liu et al. 2025,
    arXiv:2502.16982), so that one learning rate serves both. `dtype` is that of the iteration.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._dtype = dtype
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            for matrices in _by_shape(group["params"]).values():
                self._update(matrices, group)

    def _update(self, matrices: list[torch.nn.Parameter], group: dict[str, Any]) -> None:
        momentum, lr = group["momentum"], group["lr"]
        directions = []
        for matrix in matrices:
            assert matrix.grad is not None
            state = self.state[matrix]
            if not state:
                state["momentum_buffer"] = torch.zeros_like(matrix)
            buffer = state["momentum_buffer"].lerp_(matrix.grad, 1 - momentum)
            directions.append(whole(matrix.grad.lerp(buffer, momentum)).to(self._dtype))
        scale = lr * 0.2 * math.sqrt(max(matrices[0].shape))
        for matrix, update in zip(matrices, orthogonal(torch.stack(directions)), strict=True):
            matrix.mul_(1 - lr * group["weight_decay"])
            matrix.add_(like(update.to(matrix.dtype), matrix), alpha=-scale)


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """[n, rows, columns] -> the nearest matrices whose singular values are about one, likewise."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / x.flatten(1).norm(dim=1).clamp(min=SMALLEST_NORM)[:, None, None]
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def _by_shape(matrices: list[torch.nn.Parameter]) -> dict[torch.Size, list[torch.nn.Parameter]]:
    groups = defaultdict(list)
    for matrix in matrices:
        if matrix.grad is not None:
            groups[matrix.shape].append(matrix)
    return groups
