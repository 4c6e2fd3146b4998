"""Texts in chunks, and what decays from one of their tokens to another: for mixers that compute a
chunk by matrix products and only step from chunk to chunk."""

from __future__ import annotations

import torch
import torch.nn.functional as F

CHUNK = 64


def in_chunks(x: torch.Tensor) -> torch.Tensor:
    """[..., length, n] -> [..., chunks, tokens, n], the last filled up with zeros.

    A text shorter than a chunk is a chunk of its own length.
    """
    size = min(CHUNK, x.shape[-2])
    return F.pad(x, (0, 0, 0, -x.shape[-2] % size)).unflatten(-2, (-1, size))


def joined(x: torch.Tensor, length: int) -> torch.Tensor:
    """[..., chunks, tokens, n] -> [..., length, n], without what was filled up."""
    return x.flatten(-3, -2)[..., :length, :]


def decays_between(logs: torch.Tensor) -> torch.Tensor:
    """From the logarithm of each token's decay [..., n], what is left at token i of what token j
    wrote, [..., n, n]: the product of the decays after j up to i, and 0 if i is before j.

    The logarithms between are summed each time anew. The difference of two sums from the beginning
    would lose a small decay beside large ones, and be too large for exp before it is masked.
    """
    n = logs.shape[-1]
    ones = torch.ones(n, n, dtype=torch.bool, device=logs.device)
    spread = logs[..., None].expand(*logs.shape, n).masked_fill(~ones.tril(-1), 0.0)
    return spread.cumsum(-2).masked_fill(~ones.tril(), float("-inf")).exp()
