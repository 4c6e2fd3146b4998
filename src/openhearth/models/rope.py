"""Rotary position embedding, in the layout of Hugging Face weights: a head's halves are rotated.

Su et al. 2021, arXiv:2104.09864.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openhearth.models.mixer_config import Attention


@dataclass(frozen=True)
class Rope:
    """The frequencies of the `size` numbers of a head that rotate: theta^(-2i/size) / factor."""

    size: int
    theta: float
    factors: tuple[float, ...] | None = None

    @classmethod
    def of(cls, config: Attention) -> Rope | None:
        """The rotation of an attention layer, if it has one."""
        if config.rope_theta is None:
            return None
        return cls(config.rotated, config.rope_theta, config.rope_factors)

    def frequencies(self) -> np.ndarray:
        """By what a position is multiplied, fp32 [size / 2]."""
        exponents = np.arange(0, self.size, 2, dtype=np.float32) / self.size
        frequencies = 1 / np.float32(self.theta) ** exponents
        if self.factors is not None:
            frequencies = frequencies / np.array(self.factors, np.float32)
        return frequencies
