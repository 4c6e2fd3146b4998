"""The root mean square norm, computed in fp32."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class RMSNorm(nn.Module):
    """x / rms(x) * weight. Zhang & Sennrich 2019, arXiv:1910.07467."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width), requires_grad=False)
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.is_cuda:  # one kernel there, and several on a processor
            return F.rms_norm(x, self.weight.shape, self.weight, self.eps)
        wide = x.float()
        normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return normed.to(x.dtype) * self.weight


class OutsideRMSNorm(RMSNorm):
    """x / (rms(x) + eps) * weight, as StripedHyena has it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = x.float()
        normed = wide / (wide.square().mean(-1, keepdim=True).sqrt() + self.eps)
        return normed.to(x.dtype) * self.weight


RMS_NORMS = {"rms": RMSNorm, "rms_outside": OutsideRMSNorm}
