"""Fuzzy in-context recall (MAD; Poli et al. 2024, arXiv:2403.17844): keys and values of one to
three tokens, so that which tokens belong together must be found out first.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from openhearth.training.study.probes.base import (
    IGNORED,
    Probe,
    Sequences,
    shifted,
    without_repetition,
)

Motif = tuple[int, ...]
Pair = tuple[Motif, Motif]


class FuzzyRecall(Probe):
    """Keys are up to `longest` different tokens of the lower half, values of the upper half; the
    last token fills up in front. In the test, all keys are `longest` long.
    """

    name: Literal["fuzzy_recall"] = "fuzzy_recall"
    longest: Annotated[int, Field(ge=1, le=8)] = 3

    @model_validator(mode="after")
    def _fits(self) -> FuzzyRecall:
        if (self.vocabulary - 1) // 2 < self.longest:
            raise ValueError(f"motifs of {self.longest} tokens need a larger vocabulary")
        if self.length < 8 * self.longest:
            raise ValueError(f"motifs of {self.longest} tokens need a greater length")
        return self

    def draw(self, count: int, generator: np.random.Generator, *, test: bool) -> Sequences:
        tokens = np.full((count, self.length + 1), self.vocabulary - 1)
        labels = np.full_like(tokens, IGNORED)
        for row in range(count):
            ours, told = self._one(generator, test=test)
            tokens[row, -len(ours) :], labels[row, -len(told) :] = ours, told
        return shifted(tokens, labels, test=test)

    def _one(self, generator: np.random.Generator, *, test: bool) -> tuple[list[int], list[int]]:
        pairs = self._pairs(generator, test=test)
        key, value = pairs[0]
        room = self.length + 1 - 2 * self.longest - len(key) - len(value)
        # The pair that is probed last comes at a random place, unless chance brings it before.
        at = int(generator.integers(0, room - 2 * self.longest))
        map_, tokens, labels = {key: value}, list[int](), list[int]()
        came: set[Motif] = set()
        following = iter(pairs[1:])
        while len(tokens) < room:
            is_due = len(tokens) >= at and key not in came
            k, drawn = (key, value) if is_due else next(following)
            v = map_.setdefault(k, drawn)
            tokens += [*k, *v]
            labels += [IGNORED] * len(k) + (list(v) if k in came else [IGNORED] * len(v))
            came.add(k)
        return [*tokens, *key, *value], [*labels, *[IGNORED] * len(key), *value]

    def _pairs(self, generator: np.random.Generator, *, test: bool) -> list[Pair]:
        """As many as a sequence may need, the first of which is probed."""
        most, half = self.length, (self.vocabulary - 1) // 2
        keys = without_repetition(generator, most, half, self.longest)
        values = half + without_repetition(
            generator, most, self.vocabulary - 1 - half, self.longest
        )
        sizes = generator.integers(1, self.longest + 1, (most, 2))
        if test:
            sizes[:, 0] = self.longest
        return [
            (tuple(k[:a]), tuple(v[:b]))
            for k, v, (a, b) in zip(keys.tolist(), values.tolist(), sizes.tolist(), strict=True)
        ]
