"""Filters that are sums of modes, each turning and fading by its pole from token to token.

h[t] = Re sum of residue_n * pole_n^t. Such a filter is as long as the text, and yet what it needs
of the past is one complex number a mode: Massaroli et al. 2023, arXiv:2310.18780. Powers are
products of two short tables: nothing as large as the text times the modes is kept.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

BLOCK = 64


class Powers(torch.autograd.Function):
    """As `powers` says. Backward in torch's own cumulative product divides by the base, which gives
    no number where the base is so small that one over it is too large.
    """

    @staticmethod
    def forward(ctx: Any, base: torch.Tensor, count: int) -> torch.Tensor:
        factors = base[..., None].expand(*base.shape, count - 1)
        found = torch.cat((torch.ones_like(base)[..., None], factors), dim=-1).cumprod(-1)
        ctx.save_for_backward(found)
        return found

    @staticmethod
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor, None]:
        (found,) = ctx.saved_tensors
        exponents = torch.arange(1, found.shape[-1], device=found.device)
        return (outer[0][..., 1:] * (exponents * found[..., :-1]).conj()).sum(-1), None


def powers(base: torch.Tensor, count: int) -> torch.Tensor:
    """base^0 to base^(count - 1), [..., count]: by products, because the angle of a long text's
    last token, as exp(t log base) needs it, is too large for the digits of fp32."""
    found: torch.Tensor = Powers.apply(base, count)
    return found


def response(poles: torch.Tensor, residues: torch.Tensor, length: int) -> torch.Tensor:
    """The filter: poles [channels, modes], residues [..., channels, modes] -> [..., channels,
    length], real."""
    low, high = _tables(poles, length)
    high = residues[..., None] * high
    rows = torch.cat((high.real, -high.imag), dim=-2).mT
    return (rows @ torch.cat((low.real, low.imag), dim=-2)).flatten(-2)[..., :length]


def leftover(poles: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """What x [texts, channels, length] leaves behind: the sum of x[t] * pole^(length - 1 - t),
    complex [texts, channels, modes]."""
    length = x.shape[-1]
    low, high = _tables(poles, length)
    backwards = F.pad(x.flip(-1), (0, high.shape[-1] * BLOCK - length)).unflatten(-1, (-1, BLOCK))
    inner = torch.complex(backwards @ low.real.mT, backwards @ low.imag.mT)
    return (inner * high.mT).sum(-2)


def power(poles: torch.Tensor, exponent: int) -> torch.Tensor:
    """poles^exponent."""
    low, high = _tables(poles, exponent + 1)
    return low[..., exponent % BLOCK] * high[..., exponent // BLOCK]


def _tables(poles: torch.Tensor, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Those whose products are the first `length` powers: of the poles, and of their BLOCK-th."""
    low = powers(poles, BLOCK)
    return low, powers(low[..., -1] * poles, -(-length // BLOCK))
