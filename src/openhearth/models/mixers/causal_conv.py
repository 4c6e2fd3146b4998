"""A causal convolution of each channel with a short filter of its own, over a text or a token."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class CausalConv(nn.Module):
    """y[t] = sum of weight[k - 1 - i] * x[t - i] over the k last tokens, plus a bias. fp32.

    `weight` is [channels, 1, k], as `nn.Conv1d` has it. The tail is what a text leaves behind: its
    last k - 1 inputs [texts, k - 1, channels], zeros before its beginning.
    """

    def __init__(self, channels: int, kernel: int, *, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, 1, kernel))
        self.bias = nn.Parameter(torch.empty(channels)) if bias else None

    def forward(
        self, x: torch.Tensor, tail: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """x [texts, length, channels] -> the same, and the new tail; without a tail it begins."""
        channels, _, kernel = self.weight.shape
        wide = x.float()
        if tail is None:
            tail = wide.new_zeros(len(x), kernel - 1, channels)
        padded = torch.cat((tail, wide), dim=1)
        y = F.conv1d(padded.transpose(1, 2), self.weight, self.bias, groups=channels)
        return y.transpose(1, 2).to(x.dtype), padded[:, padded.shape[1] - kernel + 1 :]

    def step(self, x: torch.Tensor, tail: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """One token of each text: x [texts, channels] -> the same, and the new tail."""
        window = torch.cat((tail, x.float()[:, None]), dim=1)
        y = (window * self.weight[:, 0].T).sum(1)
        if self.bias is not None:
            y = y + self.bias
        return y.to(x.dtype), window[:, 1:]
