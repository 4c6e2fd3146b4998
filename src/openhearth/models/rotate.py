"""Rotary positions for torch: the angles of a batch's rows, and the rotation by them."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from openhearth.models import fused

# MKL sets up its vector functions at their first call. When two threads make that call at once, one
# of them may compute with few digits (docs/log.md), so it is made here, by one thread.
torch.ones(1).cos()


def angles_at(
    frequencies: torch.Tensor, positions: torch.Tensor, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine and sine, each [rows, 1, size / 2], by frequencies [size / 2] at positions [rows]."""
    angles = positions[:, None, None].float() * frequencies
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn each pair (x[i], x[i + size/2]) of x [rows, heads, head_dim] by its angle.

    What lies behind the first `size` numbers of a head stays.
    """
    return Rotation.apply(x, cos, sin)


class Rotation(torch.autograd.Function):
    """Its gradient is turned back."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin, back=False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        cos, sin = ctx.saved_tensors
        return _turned(outer[0], cos, sin, back=True), None, None


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, *, back: bool) -> torch.Tensor:
    if fused.serve(x, cos, sin):
        return fused.rotate(x, cos, sin, back=back)
    sin, half = -sin if back else sin, cos.shape[-1]
    first, second, rest = x.tensor_split((half, 2 * half), dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin, rest), dim=-1)
