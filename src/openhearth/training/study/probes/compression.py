"""Compression (MAD; Poli et al. 2024, arXiv:2403.17844): the last place's state must hold all
tokens before it, each of which a small decoder tells from that state and the token's place.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from openhearth.training.study.probes.base import Probe, Sequences


class Compression(Probe):
    """Random tokens, then a mark, the last of the vocabulary; all of them are labels."""

    name: Literal["compression"] = "compression"
    length: Annotated[int, Field(ge=4)] = 32

    @property
    def from_last(self) -> bool:
        return True

    def draw(self, count: int, generator: np.random.Generator, *, test: bool) -> Sequences:
        tokens = generator.integers(0, self.vocabulary - 1, (count, self.length))
        tokens[:, -1] = self.vocabulary - 1
        return tokens, tokens
