"""Convolutions with filters as long as the text, by fast Fourier transforms, in fp32."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def fft_conv(x: torch.Tensor, taps: torch.Tensor) -> torch.Tensor:
    """y[t] = sum of taps[i] * x[t - i] over the texts x [texts, channels, length].

    `taps` is [channels, up to 2 * length]: those from `length` on look ahead, the last of them by
    one token, because a transform of twice the length goes round without touching itself.
    """
    size = 2 * x.shape[-1]
    spectrum = torch.fft.rfft(x.float(), n=size) * torch.fft.rfft(taps, n=size)
    return torch.fft.irfft(spectrum, n=size)[..., : x.shape[-1]]


def both_ways(before: torch.Tensor, after: torch.Tensor, length: int) -> torch.Tensor:
    """The taps of a text of `length` that sees what is before a token and what is after it.

    `before` [channels, taps] begins with the token itself, `after` with the next one.
    """
    ahead = after[:, :length].flip(-1)
    behind = before[:, :length]
    return torch.cat(
        (F.pad(behind, (0, 2 * length - behind.shape[-1] - ahead.shape[-1])), ahead), -1
    )
