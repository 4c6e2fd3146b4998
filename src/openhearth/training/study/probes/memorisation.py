"""Memorisation (MAD; Poli et al. 2024, arXiv:2403.17844): facts that no context tells, only the
weights. Which value a key has is the same in all sequences, those of the test included.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from openhearth.training.study.probes.base import IGNORED, Count, Probe, Sequences


class Memorisation(Probe):
    """Keys from the lower half, each followed by a mark, where its value is to be told. `facts` is
    the seed of which value each key has.
    """

    name: Literal["memorisation"] = "memorisation"
    vocabulary: Annotated[int, Field(ge=4)] = 256
    length: Annotated[int, Field(ge=4, multiple_of=2)] = 32
    train: Count = 256
    facts: Annotated[int, Field(ge=0)] = 12_345

    def draw(self, count: int, generator: np.random.Generator, *, test: bool) -> Sequences:
        values = self.values()
        keys = generator.integers(0, len(values), (count, self.length // 2))
        tokens = np.full((count, self.length), self.vocabulary - 1)
        labels = np.full_like(tokens, IGNORED)
        tokens[:, 0::2], labels[:, 1::2] = keys, values[keys]
        return tokens, labels

    def values(self) -> np.ndarray:
        """int64 [keys]: what is to be known of each key; no two are alike."""
        known = self.vocabulary - 1
        upper = np.arange(known // 2, known)
        return np.random.default_rng(self.facts).permutation(upper)[: known // 2]
