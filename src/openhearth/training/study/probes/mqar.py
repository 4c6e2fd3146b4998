"""Multi-query associative recall (Arora et al. 2023, arXiv:2312.04927; Zoology).

Pairs of a key and a value come first; later keys come again, among random tokens, and at each the
value is to be told. The gap before a key comes again follows a power law, as in text.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from openhearth.training.study.probes.base import (
    IGNORED,
    Count,
    Probe,
    Sequences,
    without_repetition,
)


class AssociativeRecall(Probe):
    """`pairs` keys from the lower half of the vocabulary, 0 apart, values from the upper half, none
    twice. Gap i has a chance in proportion to i to the `power` - 1.
    """

    name: Literal["mqar"] = "mqar"
    vocabulary: Annotated[int, Field(ge=16)] = 8192
    length: Annotated[int, Field(ge=4, multiple_of=2)] = 64
    pairs: Count = 4
    power: Annotated[float, Field(gt=0)] = 0.01

    @model_validator(mode="after")
    def _fits(self) -> AssociativeRecall:
        if 4 * self.pairs > self.length:
            raise ValueError(f"{self.pairs} pairs and their queries need {4 * self.pairs} tokens")
        if self.pairs >= self.vocabulary // 2:
            raise ValueError(f"a vocabulary of {self.vocabulary} has too few keys")
        return self

    def draw(self, count: int, generator: np.random.Generator, *, test: bool) -> Sequences:
        half, begun = self.vocabulary // 2, 2 * self.pairs
        keys = 1 + without_repetition(generator, count, half - 1, self.pairs)
        values = half + without_repetition(generator, count, self.vocabulary - half, self.pairs)
        tokens = generator.integers(0, self.vocabulary, (count, self.length))
        labels = np.full((count, self.length), IGNORED)
        tokens[:, 0:begun:2], tokens[:, 1:begun:2] = keys, values
        places = begun + 2 * self._gaps(count, generator)
        np.put_along_axis(tokens, places, keys, 1)
        np.put_along_axis(labels, places, values, 1)
        return tokens, labels

    def _gaps(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """int64 [count, pairs], different in a row: the least of exponential draws at these rates
        is what drawing one after the other without putting back gives (Efraimidis & Spirakis 2006).
        """
        space = (self.length - 2 * self.pairs) // 2
        chances = np.arange(1, space + 1) ** (self.power - 1)
        waits = generator.exponential(size=(count, space)) / chances
        return waits.argsort(axis=1)[:, : self.pairs]
