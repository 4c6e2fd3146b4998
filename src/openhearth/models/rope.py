"""Rotary position embedding, in the layout of Hugging Face weights: a head's halves are rotated.

Su et al. 2021, arXiv:2104.09864.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from openhearth.models.config import Attention

# MKL sets up its vector functions at their first call. When two threads make that call at once, one
# of them may compute with few digits (docs/log.md), so it is made here, by one thread.
torch.ones(1).cos()


@dataclass(frozen=True)
class Rope:
    """The frequencies of one kind of head: theta^(-2i/head_dim) / factors[i]."""

    head_dim: int
    theta: float
    factors: tuple[float, ...] | None = None

    @classmethod
    def of(cls, config: Attention) -> Rope | None:
        """The rotation of an attention layer, if it has one."""
        if config.rope_theta is None:
            return None
        return cls(config.head_dim, config.rope_theta, config.rope_factors)

    def angles(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosine and sine, each [rows, 1, head_dim / 2], of positions [rows]."""
        exponents = torch.arange(0, self.head_dim, 2, dtype=torch.float32) / self.head_dim
        frequencies = 1.0 / self.theta**exponents
        if self.factors is not None:
            frequencies = frequencies / torch.tensor(self.factors)
        angles = positions[:, None, None].float() * frequencies
        return angles.cos(), angles.sin()


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn each pair (x[i], x[i + head_dim/2]) of x [rows, heads, head_dim] by its angle."""
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
