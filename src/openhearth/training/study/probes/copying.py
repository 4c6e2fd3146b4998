"""Selective copying (MAD; Poli et al. 2024, arXiv:2403.17844; before it Gu & Dao 2023).

Tokens stand scattered among blanks; after a mark they are to be told again, in their order.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from openhearth.training.study.probes.base import IGNORED, Count, Probe, Sequences


class SelectiveCopying(Probe):
    """`copied` tokens, all but the last two of the vocabulary: the blank, and the mark."""

    name: Literal["selective_copying"] = "selective_copying"
    length: Annotated[int, Field(ge=4)] = 256
    copied: Count = 16

    @model_validator(mode="after")
    def _fits(self) -> SelectiveCopying:
        if self.length <= 2 * self.copied + 1:
            raise ValueError(f"{self.copied} tokens, twice, and a mark do not fit the length")
        return self

    def draw(self, count: int, generator: np.random.Generator, *, test: bool) -> Sequences:
        blank, mark = self.vocabulary - 2, self.vocabulary - 1
        begun = self.length - self.copied
        text = generator.integers(0, blank, (count, self.copied))
        # Each blank stands before a token of its own choice.
        before = generator.integers(0, self.copied, (count, begun - 1 - self.copied))
        blanks = (before[:, :, None] <= np.arange(self.copied)).sum(1)
        tokens = np.full((count, self.length), blank)
        np.put_along_axis(tokens, blanks + np.arange(self.copied), text, 1)
        tokens[:, begun - 1] = mark
        labels = np.full_like(tokens, IGNORED)
        labels[:, begun:] = text
        return tokens, labels
