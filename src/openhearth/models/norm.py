"""The root mean square norm, computed in fp32."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from openhearth.models import fused


class Normed(torch.autograd.Function):
    """x / rms(x) * weight. For backward it keeps x as it came and a number a row."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
        if fused.serve(x, weight):
            made, inverse = fused.norm(x, weight, eps)
        else:
            wide = x.float()
            inverse = torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
            made = (wide * inverse).to(x.dtype) * weight
        ctx.save_for_backward(x, weight, inverse)
        return made

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight, inverse = ctx.saved_tensors
        if fused.serve(outer[0], x, weight):
            return *fused.norm_back(outer[0], x, weight, inverse, ctx.needs_input_grad[:2]), None
        normed, dx, dweight = x.float() * inverse, None, None
        if ctx.needs_input_grad[1]:
            rows = (outer[0] * normed).flatten(0, -2)
            dweight = rows.sum(0).to(weight.dtype)
        if ctx.needs_input_grad[0]:
            inner = (outer[0] * weight).float()
            along = (inner * normed).mean(-1, keepdim=True)
            dx = inner.addcmul_(normed, along, value=-1).mul_(inverse).to(x.dtype)
        return dx, dweight, None


class RMSNorm(nn.Module):
    """x / rms(x) * weight. Zhang & Sennrich 2019, arXiv:1910.07467."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width), requires_grad=False)
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.is_cuda:  # where torch has one kernel
            return F.rms_norm(x, self.weight.shape, self.weight, self.eps)
        return Normed.apply(x, self.weight, self.eps)


class OutsideRMSNorm(RMSNorm):
    """x / (rms(x) + eps) * weight, as StripedHyena has it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = x.float()
        normed = wide / (wide.square().mean(-1, keepdim=True).sqrt() + self.eps)
        return normed.to(x.dtype) * self.weight


RMS_NORMS = {"rms": RMSNorm, "rms_outside": OutsideRMSNorm}
